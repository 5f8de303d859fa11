"""A model's words on their way to whoever asked, their citations numbered as they come."""

import re
from dataclasses import dataclass, field

UNKNOWN = "NOT FOUND"
_LONGEST_ANSWER = 20_000
_CITED = re.compile(r"[ \t]?\[(\d{1,2})\]")
# What the next words may turn into a citation, or into nothing.
_UNSURE = re.compile(r"\s*(\[\d{0,2})?$")


@dataclass(slots=True)
class Wording:
    """The words so far. `cited` are positions of passages, from 0; [1], [2], ... are positions in `cited`."""

    passages: int
    text: str = ""
    cited: list[int] = field(default_factory=list[int])
    _heard: int = 0
    _waiting: str = ""

    def hear(self, said: str) -> str:
        """Take in the model's next words; gives those that are sure to be in the answer by now."""
        said = said[: max(0, _LONGEST_ANSWER - self._heard)]
        self._heard += len(said)
        self._waiting += said
        if not self.text:
            self._waiting = self._waiting.lstrip()
            if UNKNOWN.startswith(self._waiting.strip(" .").upper()):
                return ""
        found = _UNSURE.search(self._waiting)
        sure = found.start() if found else len(self._waiting)
        ready, self._waiting = self._waiting[:sure], self._waiting[sure:]
        return self._add(ready)

    def end(self) -> str:
        """The last words, once the model has said all."""
        ready, self._waiting = self._waiting.rstrip(), ""
        if not self.text and ready.strip(" .").upper() == UNKNOWN:
            return ""
        return self._add(ready)

    def _add(self, ready: str) -> str:
        words = _CITED.sub(self._numbered, ready)
        if not self.text:  # what stood first may have cited nothing that there is
            words = words.lstrip()
        self.text += words
        return words

    def _numbered(self, found: re.Match[str]) -> str:
        at = int(found[1]) - 1
        if not 0 <= at < self.passages:
            return ""
        if at not in self.cited:
            self.cited.append(at)
        return found[0].replace(found[1], str(self.cited.index(at) + 1))
