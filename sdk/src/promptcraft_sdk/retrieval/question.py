"""What is asked: the stems to look for and how much each says."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from promptcraft_sdk.knowledge.words import GENERAL_STEMS, stems_of

MOST_CHARACTERS = 4_000
MOST_STEMS = 32

_GENERAL = 0.5
_NAMED = 1.5
_ADDED = 0.5

_TOKEN = re.compile(r"[\w.-]+")
# how people go on about what was said before, and what they point back to it with
_GOING_ON = re.compile(
    r"\W*(?:and|or|but|so|then|also|what about|how about|what if|even if|why|same|only|except)\b", re.IGNORECASE
)
_POINTING = re.compile(
    r"\b(?:it|its|that|this|these|those|they|them|their|there|then|one|ones|same|else|other|others|another|instead)\b",
    re.IGNORECASE,
)
_ENOUGH_TO_STAND_ALONE = 2
_LONGEST_LEANING = 300


@dataclass(frozen=True, slots=True)
class Question:
    """The stems of a question and their importance before rarity; `required` are stems of which one must be there.

    `asked` are those that were asked by, without what was added. `text` is what the meaning is taken from; `before` is
    the question that it goes on about, else empty.
    """

    importance: Mapping[str, float]
    required: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    text: str = ""
    before: str = ""

    @classmethod
    def of(
        cls, text: str, *, added: Sequence[str] = (), own: Collection[str] = (), require: bool = False
    ) -> "Question":
        """A question as asked, with `added` words to search by; `own` stems (the agent's name, domain) prove nothing.

        With `require`, a passage counts only if it holds one of the added words.
        """
        text = text[:MOST_CHARACTERS]
        asked = list(dict.fromkeys(stems_of(text)))[:MOST_STEMS]
        telling = [stem for stem in asked if stem not in own] or asked
        named = _names(text)
        importance = {stem: _NAMED if stem in named else _GENERAL if stem in GENERAL_STEMS else 1.0 for stem in telling}
        more = [stem for words in added for stem in stems_of(words[:MOST_CHARACTERS])][:MOST_STEMS]
        for stem in more:
            importance.setdefault(stem, _ADDED * (_GENERAL if stem in GENERAL_STEMS else 1.0))
        specific = frozenset(stem for stem in more if stem not in GENERAL_STEMS and stem not in own)
        required = (specific or frozenset(more)) if require else frozenset[str]()
        return cls(importance, required, frozenset(telling), "\n".join((*added, text)))


def _names(text: str) -> set[str]:
    """Stems of words written like a name (a capital inside the sentence) or like an identifier."""
    words = _TOKEN.findall(text)
    written = (word for at, word in enumerate(words) if "_" in word or (at and word[0].isupper() and word != "I"))
    return {stem for word in written for stem in stems_of(word)}


def leans(text: str) -> bool:
    """Whether a text goes on about what was said before: it says so, points back, or hardly has a word of its own."""
    if len(text) > _LONGEST_LEANING:
        return False
    says_so = _GOING_ON.match(text) is not None or _POINTING.search(text) is not None
    return says_so or len(set(stems_of(text))) < _ENOUGH_TO_STAND_ALONE
