"""Unpacking what strangers send: nothing is trusted, nothing is written outside, nothing larger than agreed is read."""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from promptcraft.agents.errors import ArchiveNotUsable, ArchiveTooLarge
from promptcraft.kernel.errors import FieldProblem
from promptcraft_sdk.knowledge import KnowledgeError, check_json, largest

MOST_BYTES = 100 * 10**6
MOST_DOCUMENTS = 10_000
# What tar adds around the documents: two blocks of 512 bytes each, and headers for long names.
_MOST_TAR_BYTES = MOST_BYTES + MOST_DOCUMENTS * 4096
_LONGEST_PATH = 512
_LONGEST_NAME = 200
_ENDINGS = (".md", ".markdown", ".json")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """`sha256` is of the paths and contents, so the same documents are the same upload however they were packed."""

    sha256: str
    documents: int
    bytes: int


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than was agreed, whatever a header inside it promises."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source = source
        self._left = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._left < 0:
            raise ArchiveTooLarge
        data = self._source.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveTooLarge
        return data


def unpack(archive: Path, target: Path) -> Unpacked:
    """Write the archive's documents below `target`, which must not exist yet.

    Raises ArchiveNotUsable naming the entry, or ArchiveTooLarge; what was written by then is the caller's to remove.
    """
    target.mkdir(parents=True)
    found: dict[str, str] = {}
    total = 0
    try:
        with archive.open("rb") as raw:
            for name, content in _documents(_decompressed(raw)):
                if name in found:
                    raise _refused(name, "is in the archive twice")
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                found[name] = hashlib.sha256(content).hexdigest()
                total += len(content)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as problem:
        raise ArchiveNotUsable(f"It is not a readable tar or tar.gz archive: {problem}") from None
    except (NotADirectoryError, FileExistsError, IsADirectoryError):
        raise ArchiveNotUsable("One entry is a file where another needs a directory.") from None
    if not found:
        raise ArchiveNotUsable("It holds no documents.")
    whole = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(found.items()))
    return Unpacked(hashlib.sha256(whole.encode()).hexdigest(), len(found), total)


def _decompressed(raw: IO[bytes]) -> IO[bytes]:
    zipped = raw.read(2) == _GZIP
    raw.seek(0)
    source: IO[bytes] = gzip.GzipFile(fileobj=raw) if zipped else raw  # pyright: ignore[reportAssignmentType] -- an IO in all but its stub
    return _Bounded(source, _MOST_TAR_BYTES)  # pyright: ignore[reportReturnType] -- tarfile only reads


def _documents(stream: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    left = MOST_BYTES
    count = 0
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for entry in tar:
            if entry.isdir():
                continue
            name = _checked_name(entry)
            count += 1
            if count > MOST_DOCUMENTS:
                raise ArchiveTooLarge(f"It holds more than {MOST_DOCUMENTS:,} documents.")
            if entry.size > left:
                raise ArchiveTooLarge("Its documents are larger than 100 MB.")
            if entry.size > largest(name):
                raise _refused(name, f"is larger than {largest(name) // 10**6} MB")
            left -= entry.size
            file = tar.extractfile(entry)
            content = file.read() if file else b""
            _check_content(name, content)
            yield name, content


def _checked_name(entry: tarfile.TarInfo) -> str:
    if not entry.isreg():
        raise _refused(entry.name, "is a link or a device; only plain files are taken")
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts:
        raise _refused(entry.name, "leads out of the archive")
    name = path.as_posix()
    if not name.isprintable() or not _encodable(name) or "\\" in name:
        raise _refused(name, "has a name that cannot be shown")
    if len(name) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in path.parts):
        raise _refused(name, "has a name that is too long")
    if any(part.startswith(".") for part in path.parts):
        raise _refused(name, "is hidden: its name begins with a dot")
    if path.suffix.lower() not in _ENDINGS:
        raise _refused(name, f"is no document: {', '.join(_ENDINGS)} are taken")
    return name


def _check_content(name: str, content: bytes) -> None:
    try:
        text = content.decode()
    except UnicodeDecodeError as problem:
        raise _refused(name, f"is not UTF-8 (byte {problem.start})") from None
    if "\0" in text:
        raise _refused(name, "holds a NUL character")
    if name.lower().endswith(".json"):
        try:
            check_json(name, text)
        except KnowledgeError as problem:
            raise _refused(name, f"is not usable JSON: {problem.detail}") from None


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(name: str, what: str) -> ArchiveNotUsable:
    shown = name.encode(errors="backslashreplace").decode()[:200]
    pointer = "/" + shown.replace("~", "~0").replace("/", "~1")
    return ArchiveNotUsable(f"{shown!r} {what}.", errors=[FieldProblem(pointer, what)])
