"""Text from elsewhere, made safe and aligned for a terminal."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

# Control characters (escape sequences begin with one), surrogates, line separators, tag characters, and what reorders
# text: left in place they could move the cursor, rename the window or make one thing look like another.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
_INTRODUCED = re.compile(r"[A-Z][a-z ]+: +pc-hybrid ")


def safe(text: str) -> str:
    """The text on one line, with anything that a terminal would act upon spelled out."""
    return _UNSAFE.sub(_spelled, text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def safe_lines(text: str) -> list[str]:
    return [safe(line) for line in text.replace("\r\n", "\n").split("\n")]


def safe_json(document: str) -> str:
    """A JSON document whose strings hold nothing that a terminal would act upon; it means the same as before."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] == "\n" else _json_escape(found[0]), document)


def safe_yaml(document: str) -> str:
    """The same for YAML whose unsafe strings stand in double quotes."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in "\n\t" else f"\\U{ord(found[0]):08x}", document)


def spelled(text: str) -> str:
    """The text in its own lines and columns, with anything else that a terminal would act upon spelled out."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in "\n\t" else _spelled(found), text.replace("\r\n", "\n"))


def width(text: str) -> int:
    """Columns that the text takes."""
    return sum(_character_width(character) for character in text)


def padded(text: str, columns: int, *, right: bool = False) -> str:
    padding = " " * max(0, columns - width(text))
    return padding + text if right else text + padding


def clipped(text: str, columns: int) -> str:
    if width(text) <= columns:
        return text
    kept = ""
    for character in text:
        if width(kept) + _character_width(character) > columns - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> Iterator[str]:
    """Aligned columns with two spaces between; `right` names the heads of right-aligned ones."""
    cells = [list(heads), *([safe(cell) for cell in row] for row in rows)]
    columns = [max(width(row[index]) for row in cells) for index in range(len(heads))]
    for row in cells:
        line = (padded(cell, columns[at], right=heads[at] in right) for at, cell in enumerate(row))
        yield "  ".join(line).rstrip()


def next_line(next_step: str) -> str:
    """How the next step is told: a command to type (it may say what for), or a sentence."""
    if _INTRODUCED.match(next_step):
        return safe(next_step)
    return f"{'Try: ' if next_step.startswith('pc-hybrid ') else 'Next:'} {safe(next_step)}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(count: int) -> str:
    """Bytes as people read them (1 kB = 1,000 bytes)."""
    if count < 1000:
        return plural(count, "byte")
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.0f} {unit}" if count >= 10 * one else f"{count / one:.1f} {unit}"
    raise AssertionError(count)


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
