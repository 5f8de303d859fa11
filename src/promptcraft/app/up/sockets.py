"""The short private directory that the servers' sockets are in.

The path of a UNIX socket may be 107 bytes long, and a data directory may be anywhere: the sockets stay out of it.
"""

import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "promptcraft-"
# PostgreSQL's own name for its socket, `.s.PGSQL.5432`, and ours for Valkey's both fit behind it
_LONGEST = 80


def make_socket_directory(runtime_directory: Path | None) -> Path:
    """A fresh directory of mode 0700, in the user's runtime directory where that is ours and short, else in a short
    temporary one."""
    for parent in (runtime_directory, Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 -- mkdtemp makes it safe
        if parent is not None and _usable(parent):
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _usable(parent: Path) -> bool:
    return len(os.fsencode(parent)) + len(_PREFIX) < _LONGEST and os.access(parent, os.W_OK | os.X_OK)


def remove_socket_directory(path: Path) -> None:
    """Remove a socket directory that this module made, and nothing else."""
    if path.name.startswith(_PREFIX):
        shutil.rmtree(path, ignore_errors=True)
