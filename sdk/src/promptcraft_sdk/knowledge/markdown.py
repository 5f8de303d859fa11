"""Markdown documents as passages: blocks under their headings, with the lines they stand on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from promptcraft_sdk.knowledge.passages import LONGEST_HEADING, Passage, lines_of, pieces_of

JOIN_UP_TO = 1_600
SHORT = 400

_FRONT_MATTER = re.compile(r"---[ \t]*\n(?P<body>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(?P<title>\S.*)$", re.MULTILINE)
_MARKUP = re.compile(r"`+|\*\*|__|!?\[|\]\([^()]*\)|\]\[[^\]]*\]|\]|<[^<>]*>")


@dataclass(frozen=True, slots=True)
class _Block:
    kind: str
    start: int
    end: int
    headings: tuple[str, ...]


def markdown_passages(file: str, text: str) -> list[Passage]:
    """The passages of one Markdown document, in its order.

    A paragraph is a passage with the list, table or code that follows it; short neighbours under one heading are
    joined. Lists, tables and code stay whole unless they are very long. A document of headings alone is one passage.
    """
    lines = lines_of(text)
    title, body = _front_matter("\n".join(lines))
    blocks = list(_blocks(_parser().parse(body), lines, title))
    passages = [passage for group in _grouped(blocks, lines) for passage in _passages(file, group, lines)]
    if passages or not text.strip():
        return passages
    headings = (title,) if title else ()
    return [Passage(file, start, end, headings, part) for start, end, part in pieces_of(lines, 1) if part.strip()]


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    # block structure is all that is needed; inline markup is quoted as it stands
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _front_matter(text: str) -> tuple[str, str]:
    """The title that front matter gives, and the text with front matter blanked, so that line numbers hold."""
    matter = _FRONT_MATTER.match(text)
    if matter is None:
        return "", text
    title = _TITLE.search(matter["body"])
    blank = "\n" * matter[0].count("\n")
    named = title["title"].rstrip().strip("\"'")[:LONGEST_HEADING] if title else ""
    return named, blank + text[matter.end() :]


def _blocks(tokens: list[Token], lines: list[str], title: str) -> Iterator[_Block]:
    above: list[tuple[int, str]] = [(0, title)] if title else []
    for number, token in enumerate(tokens):
        if token.level or token.nesting == -1 or token.map is None:
            continue
        if token.type == "heading_open":
            level = int(token.tag[1:])
            above = [(depth, name) for depth, name in above if depth < level]
            above.append((level, _heading(tokens[number + 1].content)))
        elif token.type != "hr":
            start, end = _trimmed(lines, *token.map)
            if start < end:
                yield _Block(token.type, start, end, tuple(name for _, name in above if name))


def _heading(content: str) -> str:
    return " ".join(_MARKUP.sub("", _without_attributes(content)).split())[:LONGEST_HEADING]


def _without_attributes(content: str) -> str:
    """The heading without the `{#id .class}` that some dialects end it with."""
    words, brace, attributes = content.rstrip().rpartition("{")
    return words if brace and attributes.find("}") == len(attributes) - 1 else content


def _trimmed(lines: list[str], start: int, end: int) -> tuple[int, int]:
    while end > start and not lines[end - 1].strip():
        end -= 1
    while start < end and not lines[start].strip():
        start += 1
    return start, end


def _grouped(blocks: list[_Block], lines: list[str]) -> Iterator[list[_Block]]:
    group: list[_Block] = []
    for block in blocks:
        if group and not _belongs(group, block, lines):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _belongs(group: list[_Block], block: _Block, lines: list[str]) -> bool:
    if block.headings != group[-1].headings or _size(lines, group[0].start, block.end) > JOIN_UP_TO:
        return False
    if block.kind != "paragraph_open":
        return True
    introduces = lines[group[-1].end - 1].rstrip().endswith(":")
    return introduces or _size(lines, group[0].start, group[-1].end) < SHORT


def _size(lines: list[str], start: int, end: int) -> int:
    return sum(len(line) + 1 for line in lines[start:end])


def _passages(file: str, group: list[_Block], lines: list[str]) -> Iterator[Passage]:
    first, last = group[0], group[-1]
    context = _header(first, lines)
    for start, end, text in pieces_of(lines[first.start : last.end], first.start + 1):
        passage = Passage(file, start, end, first.headings, text)
        yield passage if start == first.start + 1 else replace(passage, context=context)


def _header(block: _Block, lines: list[str]) -> str:
    """What the later pieces of a split block are found by too: its first line (of a table the names of columns)."""
    return lines[block.start].strip()[:200]
