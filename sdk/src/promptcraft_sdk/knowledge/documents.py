"""The documents of a knowledge directory, read and cut into passages."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptcraft_sdk.knowledge.errors import DocumentTooLargeError, NotUtf8Error
from promptcraft_sdk.knowledge.json_documents import json_passages
from promptcraft_sdk.knowledge.markdown import markdown_passages
from promptcraft_sdk.knowledge.passages import Passage

LARGEST_DOCUMENT: Final = 20_000_000
# parsed, JSON takes many times its size
LARGEST_JSON: Final = 5_000_000
MOST_PASSAGES: Final = 50_000
READERS: Final = {".md": markdown_passages, ".markdown": markdown_passages, ".json": json_passages}


@dataclass(frozen=True, slots=True)
class Document:
    """`file` is the path inside the knowledge directory, with `/`; `sha256` is of its bytes."""

    file: str
    sha256: str
    passages: tuple[Passage, ...]


def document_files(knowledge: Path) -> list[Path]:
    """The Markdown and JSON files below a directory, sorted; hidden files and symbolic links are left out."""
    found = (path for path in knowledge.rglob("*") if path.suffix.lower() in READERS)
    return sorted(
        (path for path in found if path.is_file() and not _left_out(path, knowledge)),
        key=lambda path: path.relative_to(knowledge).as_posix(),
    )


def _left_out(path: Path, knowledge: Path) -> bool:
    inside = path.relative_to(knowledge)
    if any(part.startswith(".") for part in inside.parts):
        return True
    return any((knowledge / parent).is_symlink() for parent in (inside, *inside.parents))


def largest(file: str) -> int:
    """How many bytes a document of this name may have."""
    return LARGEST_JSON if file.lower().endswith(".json") else LARGEST_DOCUMENT


def read_documents(knowledge: Path) -> Iterator[Document]:
    """Every document, in the order of their names. Raises KnowledgeError, which names the file at fault."""
    for path in document_files(knowledge):
        file = path.relative_to(knowledge).as_posix()
        if path.stat().st_size > largest(file):
            raise DocumentTooLargeError(file, f"larger than {largest(file) // 1_000_000} MB")
        content = path.read_bytes()
        passages = READERS[path.suffix.lower()](file, _decoded(file, content))
        if len(passages) > MOST_PASSAGES:
            raise DocumentTooLargeError(file, f"makes more than {MOST_PASSAGES:,} passages")
        yield Document(file, hashlib.sha256(content).hexdigest(), tuple(passages))


def _decoded(file: str, content: bytes) -> str:
    try:
        # a database holds every character but NUL
        return content.decode("utf-8-sig").replace("\0", "\ufffd")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotUtf8Error(file, f"line {line} is not UTF-8 (byte 0x{content[error.start]:02x})") from error
