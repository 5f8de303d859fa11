"""Users that exist for one program each: numbers that no account of the host has."""

import os
import zlib
from pathlib import Path

# Where to look, best first: what systemd's table of uids leaves unused, then the brief range above ordinary users,
# then what a container with only 65,536 users has.
_RANGES = ((1_900_000_000, 1_900_065_536), (200_000, 265_536), (30_000, 60_000))


class Uids:
    """Hands out uids (and gids of the same number); one given back is used again last."""

    def __init__(self, free: range, first: int = 0) -> None:
        self._next = free.start + first % len(free)
        self._free = free
        self._taken: set[int] = set()

    def take(self) -> int:
        for _ in self._free:
            uid, self._next = self._next, self._next + 1
            if self._next >= self._free.stop:
                self._next = self._free.start
            if uid not in self._taken:
                self._taken.add(uid)
                return uid
        raise RuntimeError("every uid is taken")

    def give_back(self, uid: int | None) -> None:
        self._taken.discard(uid or -1)


def own_uids(runtime_directory: Path, proc: Path = Path("/proc/self")) -> Uids | None:
    """The uids that root may hand out here; None where our own user namespace holds too few.

    Drivers begin at different numbers, as they know nothing of each other.
    """
    maps = [_mapped(proc / name) for name in ("uid_map", "gid_map")]
    for first, last in _RANGES:
        if all(any(start <= first and last <= end for start, end in each) for each in maps):
            return Uids(range(first, last), zlib.crc32(b"%d %b" % (os.getpid(), os.fsencode(runtime_directory))))
    return None


def _mapped(file: Path) -> list[tuple[int, int]]:
    rows = (tuple(map(int, line.split())) for line in file.read_text().splitlines())
    return [(inside, inside + count) for inside, _outside, count in rows]
