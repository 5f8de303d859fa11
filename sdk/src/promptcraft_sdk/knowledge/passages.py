"""A passage: the unit that is found, quoted and cited."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

SPLIT_ABOVE = 4_000
PIECE = 1_500
LONGEST_HEADING = 300

_NEWLINE = re.compile(r"\r\n?|\n")
_AFTER_SENTENCE = re.compile(r"(?<=[.!?])\s")
_WORD = re.compile(r"\S")
_GOOD_BREAK = re.compile(r"\s*$|\s{0,3}(?:[-*+]|\d{1,9}[.)])\s|\s*\|")


@dataclass(frozen=True, slots=True)
class Passage:
    """Text that stands in `file` from `start_line` to `end_line` (1-based, both included).

    `headings` are the titles above it, outermost first. `prose` is the text as a person would read it where the
    source's form differs (JSON), else empty. `context` holds further words that it is found by, such as the header
    row of a table that had to be split. `pointer` is the JSON pointer of a JSON passage, else empty.
    """

    file: str
    start_line: int
    end_line: int
    headings: tuple[str, ...]
    text: str
    prose: str = ""
    context: str = ""
    pointer: str = ""

    @property
    def id(self) -> str:
        """The same text at the same place has the same id, in every run."""
        place = f"{self.file}\0{self.start_line}\0{self.end_line}\0{self.text}"
        return hashlib.sha256(place.encode()).hexdigest()[:16]

    @property
    def reading(self) -> str:
        return self.prose or self.text


def lines_of(text: str) -> list[str]:
    """The lines as an editor counts them; `str.splitlines` also breaks at form feeds and U+2028."""
    return _NEWLINE.split(text)


def pieces_of(lines: list[str], first: int) -> Iterator[tuple[int, int, str]]:
    """Split lines that together are too long into (start line, end line, text), breaking where a reader would.

    `first` is the 1-based number of the first line. A line too long by itself is cut between sentences or words;
    its pieces share its number.
    """
    if sum(map(len, lines)) + len(lines) <= SPLIT_ABOVE:
        yield first, first + len(lines) - 1, "\n".join(lines)
        return
    start, size = 0, 0
    for number, line in enumerate(lines):
        long_enough = size + len(line) > PIECE and (_GOOD_BREAK.match(line) or size > 2 * PIECE)
        if number > start and (long_enough or len(line) > SPLIT_ABOVE):
            yield first + start, first + number - 1, "\n".join(lines[start:number])
            start, size = number, 0
        if len(line) > SPLIT_ABOVE:
            for part in cut(line):
                yield first + number, first + number, part
            start, size = number + 1, 0
        else:
            size += len(line) + 1
    if start < len(lines):
        yield first + start, first + len(lines) - 1, "\n".join(lines[start:])


def cut(text: str) -> Iterator[str]:
    """Cut one long text into parts of at most PIECE characters, after a sentence where there is one, else a word."""
    start = 0
    while len(text) - start > PIECE:
        piece = text[start : start + PIECE]
        sentence = max((found.start() for found in _AFTER_SENTENCE.finditer(piece)), default=0)
        word = piece.rfind(" ")
        at = sentence if sentence > PIECE // 3 else word if word > 0 else PIECE
        yield piece[:at]
        next_word = _WORD.search(text, start + at)
        start = next_word.start() if next_word else len(text)
    rest = text[start:].rstrip()
    if rest:
        yield rest
