"""JSON documents as passages: objects and values with their pointer and the lines they stand on."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from promptcraft_sdk.knowledge.errors import DocumentTooLargeError, MalformedJsonError
from promptcraft_sdk.knowledge.passages import LONGEST_HEADING, Passage, cut
from promptcraft_sdk.knowledge.untyped import scan_json_string

DEEPEST = 64
MOST_VALUES = 200_000
WHOLE_UP_TO = 1_500

_SPACE = re.compile(r"[ \t\n\r]*")
_SCALAR = re.compile(r"[^,\]}\s]+")
# what JSON can escape and UTF-8 or a database cannot hold; a pair of surrogates is one character by then
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_NAMES: Final = ("title", "name", "heading", "question", "term", "id")


@dataclass(slots=True)
class _Node:
    """A value, the characters it takes, and what is inside it. `value` is its text if it is a scalar."""

    path: tuple[str, ...]
    start: int
    end: int = 0
    kind: str = "scalar"
    value: str = ""
    children: list["_Node"] = field(default_factory=list["_Node"])

    @property
    def size(self) -> int:
        return self.end - self.start


def json_passages(file: str, text: str) -> list[Passage]:
    """The passages of one JSON document, in its order.

    An object small enough is one passage; of larger ones the values directly in it are, and what it holds is taken
    by itself. Each object of an array is a passage of its own. Raises MalformedJsonError, DocumentTooLargeError.
    """
    check_json(file, text)
    document = _Document(file, text)
    return [passage for passage in document.passages(_Scanner(file, text).root(), ()) if passage.reading.strip()]


def check_json(file: str, text: str) -> None:
    """Raise MalformedJsonError, with the place, for what is not JSON."""
    try:
        # an integer stays text: nobody calculates with it, and Python refuses to convert very long ones
        json.loads(text, parse_int=str)
    except json.JSONDecodeError as error:
        raise MalformedJsonError(file, f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise MalformedJsonError(file, f"nested deeper than {DEEPEST} levels") from error


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _string(text: str, at: int) -> tuple[str, int]:
    """The string whose opening quote is at `at`, and where it ends."""
    value, end = scan_json_string(text, at + 1, True)
    return _UNSTORABLE.sub("\ufffd", value), end


@dataclass(slots=True)
class _Scanner:
    """Finds the values of a text known to be valid JSON, and where each starts and ends."""

    file: str
    text: str
    _values: int = 0

    def root(self) -> _Node:
        return self._value(_space(self.text, 0), ())

    def _value(self, at: int, path: tuple[str, ...]) -> _Node:
        if len(path) > DEEPEST:
            raise MalformedJsonError(self.file, f"nested deeper than {DEEPEST} levels")
        self._values += 1
        if self._values > MOST_VALUES:
            raise DocumentTooLargeError(self.file, f"holds more than {MOST_VALUES:,} values")
        node = _Node(path, at)
        opening = self.text[at]
        if opening == '"':
            node.value, node.end = _string(self.text, at)
        elif opening in "{[":
            node.kind = "object" if opening == "{" else "array"
            node.end = self._inside(at + 1, node)
        else:
            scalar = _SCALAR.match(self.text, at)
            node.value = scalar[0] if scalar else ""
            node.end = at + len(node.value)
        return node

    def _inside(self, at: int, node: _Node) -> int:
        at = _space(self.text, at)
        while self.text[at] not in "}]":
            key, start = str(len(node.children)), at
            if node.kind == "object":
                key, at = _string(self.text, at)
                at = _space(self.text, _space(self.text, at) + 1)
            child = self._value(at, (*node.path, key))
            child.start = start
            node.children.append(child)
            at = _space(self.text, child.end)
            if self.text[at] == ",":
                at = _space(self.text, at + 1)
        return at + 1


@dataclass(slots=True)
class _Document:
    file: str
    text: str
    _breaks: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._breaks = [found.end() for found in re.finditer(r"\r\n?|\n", self.text)]

    def passages(self, node: _Node, headings: tuple[str, ...]) -> Iterator[Passage]:
        if node.kind == "scalar" or (node.size <= WHOLE_UP_TO and not _holds_several(node)):
            yield from self._passage([node], node.path, headings)
            return
        inner = _with(headings, _name(node))
        run: list[_Node] = []
        for child in node.children:
            scalar = child.kind == "scalar"
            if run and (not scalar or child.end - run[0].start > WHOLE_UP_TO):
                yield from self._passage(run, node.path, inner)
                run = []
            if scalar:
                run.append(child)
            else:
                yield from self.passages(child, inner if node.kind == "array" else _with(inner, child.path[-1]))
        if run:
            yield from self._passage(run, node.path, inner)

    def _passage(self, nodes: list[_Node], path: tuple[str, ...], headings: tuple[str, ...]) -> Iterator[Passage]:
        start, end = nodes[0].start, nodes[-1].end
        lines = bisect_right(self._breaks, start) + 1, bisect_right(self._breaks, end - 1) + 1
        pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)
        source, prose = self.text[start:end], "\n".join(line for node in nodes for line in _prose(node, len(path)))
        for part in cut(prose):
            text = source if len(source) <= 2 * WHOLE_UP_TO else source[: 2 * WHOLE_UP_TO]
            yield Passage(self.file, *lines, headings, text, prose=part, pointer=pointer)


def _holds_several(node: _Node) -> bool:
    """Whether a small value still is better taken apart: an array of objects, or an object that holds one."""
    if node.kind == "array":
        return any(child.kind == "object" for child in node.children)
    return any(child.kind != "scalar" and _holds_several(child) for child in node.children)


def _name(node: _Node) -> str:
    """What an object calls itself, if it does."""
    if node.kind != "object":
        return ""
    values = {child.path[-1].lower(): child.value for child in node.children if child.kind == "scalar"}
    return next((values[name] for name in _NAMES if values.get(name)), "")


def _with(headings: tuple[str, ...], name: str) -> tuple[str, ...]:
    name = name[:LONGEST_HEADING]
    return (*headings, name) if name and name not in headings else headings


def _prose(node: _Node, depth: int) -> Iterator[str]:
    label = " ".join(key for key in node.path[depth:] if not key.isdigit())
    if node.kind == "scalar":
        yield f"{label}: {node.value}" if label else node.value
    elif node.kind == "array" and all(child.kind == "scalar" for child in node.children):
        values = ", ".join(child.value for child in node.children)
        yield f"{label}: {values}" if label else values
    else:
        for child in node.children:
            yield from _prose(child, depth)
