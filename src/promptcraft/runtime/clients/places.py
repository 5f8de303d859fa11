"""The directories that a driver works in, and clearing up what a killed one left in them."""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from promptcraft.kernel.processes import started
from promptcraft.runtime.clients.bubblewrap import SOCKET_NAME
from promptcraft.runtime.errors import AlreadyRunning, NotRunnable

LONGEST_SOCKET_PATH = 107
_LOCK = "runtime.lock"
_EMPTY = "empty"
_UUID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class HostPlaces:
    """Where the driver keeps things, and what it must keep away from programs.

    `runtime_directory` is this runtime's own and outlives it; `socket_directory` is short, and is emptied at every
    start.
    """

    runtime_directory: Path
    socket_directory: Path
    log_directory: Path
    hidden: tuple[Path, ...] = ()
    guarded_sockets: tuple[Path, ...] = ()


def host_places(
    data_directory: Path, short_directory: Path, *, guarded_sockets: tuple[Path, ...] = (), commands_only: bool = False
) -> HostPlaces:
    """The places of this host's runtime, or of the drivers that only run commands.

    Sockets keep their paths over restarts where the data directory's own is short enough for them; `short_directory` is
    for where it is not. `guarded_sockets` are those of the platform that the probe tries.
    """
    base = data_directory / "runtime" / ("commands" if commands_only else "programs")
    sockets = base.with_name(f"{base.name}-sockets")
    if len(os.fsencode(sockets)) + 1 + _UUID_LENGTH + 1 + len(SOCKET_NAME) > LONGEST_SOCKET_PATH:
        sockets = short_directory / base.name
    return HostPlaces(
        runtime_directory=base,
        socket_directory=sockets,
        log_directory=data_directory / "logs" / "agents",
        hidden=(data_directory, short_directory, *guarded_sockets),
        guarded_sockets=guarded_sockets,
    )


def host_place(places: HostPlaces) -> str:
    """What only one driver at a time can hold: this directory, in this boot of this machine."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{places.runtime_directory.resolve()}"


def name_of_run() -> str:
    """A name for a command's traces that tells whose they are."""
    return f"run-{os.getpid()}-{uuid4().hex[:12]}"


def of_the_living(name: str) -> bool:
    """Whether the process that gave out this name still is; cgroup.py tries its groups out under such a name, too."""
    kind, _, rest = name.partition("-")
    pid = rest.partition("-")[0]
    return kind in ("run", "trial") and pid.isdigit() and started(int(pid)) is not None


def claim(places: HostPlaces) -> int:
    """Be the only driver here, and clear up. Returns the lock's descriptor; raises AlreadyRunning."""
    _make(places)
    lock = os.open(places.runtime_directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AlreadyRunning("another runtime process has this directory", next_step="Stop it first.") from None
    _clear(places, keep=lambda _name: False)
    return lock


def visit(places: HostPlaces) -> None:
    """Be one of several drivers here, and clear up after those that are gone."""
    _make(places)
    _clear(places, keep=of_the_living)


def _make(places: HostPlaces) -> None:
    places.socket_directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for directory in (places.runtime_directory, places.socket_directory, places.log_directory):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _must_be_ours(places.socket_directory)
    # the code of a program that has none, as the probe has: readable by every uid
    (places.runtime_directory / _EMPTY).mkdir(exist_ok=True, mode=0o755)


def _must_be_ours(directory: Path) -> None:
    """It may be in the temporary directory, where somebody else can have been first. Raises NotRunnable."""
    for each in (directory, directory.parent):
        found = each.lstat()
        ours = found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode)
        if not ours or (found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX):
            raise NotRunnable(
                f"{each} is not a directory of ours alone, so no program's socket is put there",
                next_step="Remove it, or choose a shorter data directory.",
            )


def empty_directory(places: HostPlaces) -> Path:
    return places.runtime_directory / _EMPTY


def _clear(places: HostPlaces, keep: Callable[[str], bool]) -> None:
    for directory in (places.runtime_directory, places.socket_directory):
        for left in directory.iterdir():
            if left.name in (_LOCK, _EMPTY) or keep(left.name):
                continue
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
