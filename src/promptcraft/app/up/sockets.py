"""The short private directory that the servers' sockets are in.

The path of a UNIX socket may be 107 bytes long, and a data directory may be anywhere: the sockets stay out of it. They
are not in the user's runtime directory either, which goes when the user logs out while the platform may go on.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "promptcraft-"
# what PostgreSQL calls its socket, `.s.PGSQL.5432`, and what we call Valkey's fit behind it
_LONGEST = 80


@contextmanager
def socket_directory() -> Generator[Path]:
    """A fresh directory of mode 0700 in the temporary directory, removed at the end."""
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) + len(_PREFIX) > _LONGEST:
        parent = "/tmp"  # noqa: S108  mkdtemp makes a name that nobody can foresee, and the mode 0700
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # systemd-tmpfiles leaves alone what is locked, however old it gets
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield path
    finally:
        os.close(handle)
        remove_socket_directory(path)


def remove_socket_directory(path: Path) -> None:
    """Remove a socket directory that this module made, and nothing else."""
    if path.name.startswith(_PREFIX):
        shutil.rmtree(path, ignore_errors=True)
