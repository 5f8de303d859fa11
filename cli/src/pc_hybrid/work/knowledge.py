"""Documents on this machine, packed for the platform: the same files give the same bytes."""

import gzip
import io
import os
import stat
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.text import plural, safe, size

# The kinds of knowledge source, and the files that each takes.
_KINDS = {".md": "markdown", ".markdown": "markdown", ".json": "json"}
_LARGEST = 100 * 10**6


@dataclass(frozen=True, slots=True)
class Packed:
    """One archive of one kind of document, ready to be uploaded."""

    kind: str
    archive: bytes
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The documents found, by the path that they will have in the archive, and what was passed over."""

    documents: dict[PurePosixPath, Path]
    passed_over: Counter[str]


def select(paths: Iterable[Path]) -> Selection:
    """The documents under these paths. Links are not followed, hidden files not looked at."""
    documents: dict[PurePosixPath, Path] = {}
    passed_over: Counter[str] = Counter()
    for root in paths:
        if not root.exists():
            raise Failure(f"there is no {root}", exit_code=ExitCode.USAGE, next_step="Name a directory or file.")
        for relative, path in _files(root):
            kind = "link" if path.is_symlink() else path.suffix.lower()
            if kind not in _KINDS:
                passed_over[kind or "no ending"] += 1
                continue
            if documents.setdefault(relative, path) != path:
                raise Failure(
                    f"{documents[relative]} and {path} would have the same name in the agent",
                    exit_code=ExitCode.USAGE,
                    next_step="Put them under different directories and give the one above as --knowledge.",
                )
    if not documents:
        raise Failure(
            "no documents were found",
            exit_code=ExitCode.USAGE,
            why=[(ending, plural(count, "file")) for ending, count in passed_over.most_common()],
            next_step=f"Give --knowledge a directory that holds {', '.join(_KINDS)} files.",
        )
    return Selection(documents, passed_over)


def pack(selection: Selection) -> list[Packed]:
    """One archive a kind, since a knowledge source is of one kind."""
    total = sum(path.stat().st_size for path in selection.documents.values())
    if total > _LARGEST:
        raise Failure(
            f"the documents are too large: {size(total)}, the platform takes {size(_LARGEST)}",
            exit_code=ExitCode.USAGE,
            next_step="Give fewer or smaller documents.",
        )
    by_kind: dict[str, dict[PurePosixPath, Path]] = {}
    for name, path in sorted(selection.documents.items()):
        by_kind.setdefault(_KINDS[path.suffix.lower()], {})[name] = path
    return [_packed(kind, documents) for kind, documents in by_kind.items()]


def _files(root: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    if not root.is_dir():
        yield PurePosixPath(root.name), root
        return
    for directory, directories, names in os.walk(root):
        here = Path(directory)
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        # os.walk lists a link to a directory among the directories, and does not enter it.
        linked = [name for name in directories if (here / name).is_symlink()]
        for name in sorted([*names, *linked]):
            if not name.startswith("."):
                yield PurePosixPath((here / name).relative_to(root).as_posix()), here / name


def _packed(kind: str, documents: dict[PurePosixPath, Path]) -> Packed:
    tar = io.BytesIO()
    count = 0
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in documents.items():
            content = _content(path)
            entry = tarfile.TarInfo(name.as_posix())
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
            count += len(content)
    # No time of packing in the archive: the upload's name is the hash of its content.
    return Packed(kind, gzip.compress(tar.getvalue(), mtime=0), len(documents), count)


def _content(path: Path) -> bytes:
    """The file's bytes; it may have become a link since it was found."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Failure(f"{path} is not a file", exit_code=ExitCode.USAGE, next_step="Remove it and try again.")
            return file.read()
    except OSError as error:
        raise Failure(
            f"cannot read {safe(str(path))}: {error.strerror}", next_step="Check who may read it, then try again."
        ) from error
