"""The commit that an agent's files are of, without a git program."""

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def commit_of(root: Path) -> str | None:
    """The commit checked out in a repository's directory; None where there is no repository or no commit."""
    git = root / ".git"
    head = _read(git / "HEAD")
    if not head.startswith("ref: "):
        return head if _COMMIT.fullmatch(head) else None
    name = head.removeprefix("ref: ")
    loose = _read(git / name)
    if _COMMIT.fullmatch(loose):
        return loose
    for line in _read(git / "packed-refs").splitlines():
        commit, _, reference = line.partition(" ")
        if reference == name:
            return commit
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
