"""What programs print: kept in files of bounded size, each with one predecessor."""

import asyncio
from collections import deque
from pathlib import Path

from promptcraft.kernel.telemetry import get_logger

_CHUNK = 64 * 1024
_LARGEST_FILE = 4 * 1024 * 1024
_LARGEST_STREAM = 1024 * 1024
_log = get_logger(__name__)


def log_file(directory: Path, instance_id: object) -> Path:
    return directory / f"{instance_id}.log"


async def keep(stream: asyncio.StreamReader, file: Path) -> None:
    """Append everything the stream gives until it ends; what the disk does not take is lost, and no program waits."""
    losing = False
    while chunk := await stream.read(_CHUNK):
        try:
            await asyncio.to_thread(_append, file, chunk)
        except OSError as failure:
            if not losing:
                _log.warning("what a program prints is lost: %s", failure.strerror, extra={"log": str(file)})
            losing = True
        else:
            losing = False


async def tail_of(stream: asyncio.StreamReader) -> str:
    """The last mebibyte of a stream, read to its end."""
    chunks: deque[bytes] = deque()
    held = 0
    while chunk := await stream.read(_CHUNK):
        chunks.append(chunk)
        held += len(chunk)
        while held - len(chunks[0]) >= _LARGEST_STREAM:
            held -= len(chunks.popleft())
    return b"".join(chunks)[-_LARGEST_STREAM:].decode(errors="replace")


def last_lines(file: Path, lines: int) -> list[str]:
    """The last lines of a log, oldest first; a program that printed nothing has none."""
    found: deque[str] = deque(maxlen=max(0, lines))
    for each in (_previous(file), file):
        if each.exists():
            with each.open(encoding="utf-8", errors="replace") as text:
                found.extend(line.rstrip("\n") for line in text)
    return list(found)


def forget(file: Path) -> None:
    for each in (file, _previous(file)):
        each.unlink(missing_ok=True)


def _append(file: Path, chunk: bytes) -> None:
    with file.open("ab") as log:
        log.write(chunk)
        size = log.tell()
    if size > _LARGEST_FILE:
        file.replace(_previous(file))


def _previous(file: Path) -> Path:
    return file.with_name(file.name + ".1")
