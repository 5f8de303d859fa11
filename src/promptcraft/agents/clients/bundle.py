"""Taking in a git bundle that somebody sent: looked at beside the repository, before anything of it is written out.

git's own checks of every object are on, its memory, time and disk are bounded, and nothing of a bundle but objects and
one branch is taken: it brings no hook, no configuration and no reference.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from promptcraft.agents.clients.git import BRANCH, run_git
from promptcraft.agents.errors import BundleNotUsable, BundleTooLarge, GitFailed, NotFastForward

MOST_SENT = 100 * 10**6
MOST_FILES = 20_000
LARGEST_FILE = 25 * 10**6
MOST_BYTES = 200 * 10**6
_LONGEST_PATH = 512
_PLAIN_FILES = (b"100644", b"100755")
_KINDS = {b"120000": "is a symbolic link", b"160000": "is a submodule"}
_HEADS = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_BOUNDED = ("prlimit", "--cpu=60", f"--as={2 * 2**30}", f"--fsize={4 * MOST_SENT}", "--core=0")
# Every object is checked as it comes in, and stays packed: what is large unpacked is not unpacked onto the disk.
_WARY = (
    *("-c", "fetch.fsckObjects=true", "-c", "fetch.unpackLimit=1", "-c", "core.bigFileThreshold=1m"),
    *("-c", "pack.threads=1", "-c", "gc.auto=0", "-c", "maintenance.auto=false"),
)


async def look_at(bundle: Path, room: Path, known: Path, tip: str) -> str:
    """Take main of a bundle into a new repository `room`, which borrows the objects of `known`; returns its commit.

    It must go on from `tip`. Raises BundleNotUsable naming what is wrong, BundleTooLarge, NotFastForward.
    """
    try:
        await _check_heads(bundle)
        await run_git("init", "--quiet", "--bare", "--template=", f"--initial-branch={BRANCH}", str(room))
        await asyncio.to_thread(_borrow, room, known)
        await _in(
            room, *_WARY, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(bundle), f"{BRANCH}:{BRANCH}"
        )
        commit = (await _in(room, "rev-parse", f"refs/heads/{BRANCH}")).decode().strip()
    except GitFailed as problem:
        raise BundleNotUsable(f"git refuses it: {problem.detail.removeprefix('git: ')}") from problem
    if commit == tip:
        raise NotFastForward("Its main is what the platform has already.", next_step="Commit something first.")
    if (await _in(room, "merge-base", commit, tip, fine=(0, 1))).decode().strip() != tip:
        raise NotFastForward(f"Its main does not go on from {tip[:12]}, where main stands.")
    await _check_sizes(room, tip, commit)
    _check_files(await _in(room, "ls-tree", "-r", "-z", "-l", "--full-tree", commit))
    return commit


async def _check_heads(bundle: Path) -> None:
    with await asyncio.to_thread(bundle.open, "rb") as file:
        if await asyncio.to_thread(file.read, len(_HEADS[0])) not in _HEADS:
            raise BundleNotUsable("It is no git bundle.")
    listed = (await run_git("bundle", "list-heads", str(bundle), prefix=_BOUNDED)).decode(errors="replace")
    names = {line.partition(" ")[2] for line in listed.splitlines()}
    if f"refs/heads/{BRANCH}" not in names:
        raise BundleNotUsable(f"It holds no branch {BRANCH}.")
    others = names - {"HEAD", f"refs/heads/{BRANCH}"}
    if others:
        raise BundleNotUsable(f"It holds {', '.join(sorted(others))[:200]}; {BRANCH} alone is taken.")


def _borrow(room: Path, known: Path) -> None:
    (room / "objects" / "info" / "alternates").write_text(f"{known / 'objects'}\n", encoding="utf-8")


async def _in(room: Path, *arguments: str, fine: tuple[int, ...] = (0,)) -> bytes:
    return await run_git(f"--git-dir={room}", *arguments, prefix=_BOUNDED, fine=fine)


async def _check_sizes(room: Path, tip: str, commit: str) -> None:
    """Also what a later commit took away again is kept, so it counts as much."""
    span = (f"^{tip}", commit)
    large = f"--filter=blob:limit={LARGEST_FILE + 1}"
    every = set((await _in(room, "rev-list", "--objects", "--no-object-names", *span)).split())
    kept = set((await _in(room, "rev-list", "--objects", "--no-object-names", large, *span)).split())
    if len(every) > 10 * MOST_FILES:
        raise BundleTooLarge(f"Its history brings more than {10 * MOST_FILES:,} objects.")
    if every - kept:
        raise BundleTooLarge(f"Its history brings a file larger than {LARGEST_FILE // 10**6} MB.")


def _check_files(listed: bytes) -> None:
    total = 0
    entries = listed.split(b"\0")[:-1]
    if len(entries) > MOST_FILES:
        raise BundleTooLarge(f"It holds more than {MOST_FILES:,} files.")
    for entry in entries:
        head, _, path = entry.partition(b"\t")
        mode, _, _, size = head.split()
        name = _checked_name(path)
        if mode not in _PLAIN_FILES:
            raise _refused(name, f"{_KINDS.get(mode, 'is no plain file')}; only plain files are taken")
        total += int(size)
        if int(size) > LARGEST_FILE:
            raise BundleTooLarge(f"{name} is larger than {LARGEST_FILE // 10**6} MB.")
    if total > MOST_BYTES:
        raise BundleTooLarge(f"Its files are larger than {MOST_BYTES // 10**6} MB.")


def _checked_name(path: bytes) -> str:
    try:
        name = path.decode()
    except UnicodeDecodeError:
        raise _refused(path.decode(errors="backslashreplace"), "has a name that is not UTF-8") from None
    if not name.isprintable() or "\\" in name:
        raise _refused(name.encode("unicode_escape").decode(), "has a name that cannot be shown")
    if len(path) > _LONGEST_PATH:
        raise _refused(name, "has a name that is too long")
    _check_parts(name, name.lower().split("/"))
    return name


def _check_parts(name: str, parts: Iterable[str]) -> None:
    for part in parts:
        if part in ("..", ".") or part.startswith((".git/", "git~")) or part == ".git":
            raise _refused(name, "is git's own business")
        if part == ".gitmodules":
            raise _refused(name, "declares submodules; only plain files are taken")


def _refused(name: str, what: str) -> BundleNotUsable:
    return BundleNotUsable(f"{name[:200]} {what}.")
