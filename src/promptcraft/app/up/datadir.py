"""The data directory: its layout, its secrets, and the lock that lets one supervisor at a time have it."""

import fcntl
import json
import os
import pwd
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from promptcraft.app.up.errors import AlreadyRunning, DataDirectoryRefused

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_SECRET_BYTES = 32
# what is kept here was made with the first two; the others are brought in line at every start
_LASTING_SECRETS = ("master.key", "db-superuser")
_SECRET_NAMES = (*_LASTING_SECRETS, "db-owner", "db-app", "db-system", "valkey")
_FOLDERS = ("secrets", "logs", "agents", "knowledge", "workspaces", "runtime", "valkey")


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Everything the platform keeps on this host, below one directory that only its owner may enter."""

    root: Path

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def state_file(self) -> Path:
        return self.root / "run.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "up.lock"

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text().strip()


def claim(root: Path) -> DataDirectory:
    """The data directory at `root`, made when it is missing; nothing outside of it is touched.

    Raises DataDirectoryRefused when it is somebody else's, holds other people's files, or cannot be made.
    """
    place = DataDirectory(root.absolute())
    try:
        place.root.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        _must_be_ours(place.root)
        _must_be_writable(place.root)
    except OSError as problem:
        raise DataDirectoryRefused(
            f"the data directory {place.root} cannot be used: {problem.strerror}",
            next_step="Choose another with --data-dir.",
        ) from problem
    return place


def _must_be_writable(root: Path) -> None:
    """A lock on a read-only file system is still a lock: what cannot be written is found before anything starts."""
    if os.statvfs(root).f_flag & os.ST_RDONLY:
        raise DataDirectoryRefused(
            f"the data directory {root} is on a file system that cannot be written",
            next_step="Have it mounted read-write, or choose another with --data-dir.",
        )


def furnish(place: DataDirectory) -> None:
    """Close the directory, make the folders and generate the secrets that are not there yet; call it with the lock
    held.

    Raises DataDirectoryRefused where one is lost that what is kept here was made with.
    """
    lost = [place.secrets / name for name in _LASTING_SECRETS if not (place.secrets / name).exists()]
    if lost and (place.postgres / "PG_VERSION").exists():
        raise DataDirectoryRefused(
            f"{lost[0]} is missing, and the database was made with it",
            next_step="Put it back from a backup, or choose a new directory with --data-dir.",
        )
    place.root.chmod(_PRIVATE_DIRECTORY)
    for folder in _FOLDERS:
        (place.root / folder).mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
    for name in _SECRET_NAMES:
        if not (place.secrets / name).exists():
            write_private(place.secrets / name, secrets.token_urlsafe(_SECRET_BYTES) + "\n")


def _must_be_ours(root: Path) -> None:
    found = root.stat()
    if found.st_uid != os.geteuid():
        raise DataDirectoryRefused(
            f"the data directory {root} belongs to {_user_name(found.st_uid)}, not to {_user_name(os.geteuid())}",
            next_step=f"Run the command as {_user_name(found.st_uid)}, or choose another directory with --data-dir.",
        )
    if found.st_mode & 0o077 and any(root.iterdir()) and not (root / "secrets").is_dir():
        raise DataDirectoryRefused(
            f"{root} holds other files and is open to other users",
            next_step="Choose a new or empty directory with --data-dir.",
        )


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def open_log(path: Path) -> IO[bytes]:
    """A log to append to, which only its owner reads."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _PRIVATE_FILE), "ab")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all, even across a crash."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def locked(place: DataDirectory) -> Generator[None]:
    """Hold the data directory for this process; the kernel lets go when the process ends, however it ends.

    Raises AlreadyRunning with the pid that holds it.
    """
    handle = os.open(place.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(handle) or "unknown"
            raise AlreadyRunning(
                f"PromptCraft is already running on {place.root} (pid {holder})",
                next_step=f"Stop it with `pc-hybrid down --data-dir {place.root}`, or choose another with --data-dir.",
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def lock_holder(place: DataDirectory) -> int | None:
    """The pid of the supervisor that has this directory now, or None."""
    try:
        handle = os.open(place.lock_file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(handle)
    finally:
        os.close(handle)
    return None


def _holder(handle: int) -> int | None:
    # the holder writes its pid just after it got the lock: the file may be empty for an instant
    for _ in range(20):
        text = os.pread(handle, 32, 0).decode().strip()
        if text.isdigit():
            return int(text)
        time.sleep(0.01)
    return None


def read_state(place: DataDirectory) -> dict[str, Any]:
    """What the last supervisor wrote of itself; empty when there was none."""
    try:
        return json.loads(place.state_file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def write_state(place: DataDirectory, state: dict[str, Any]) -> None:
    write_private(place.state_file, json.dumps(state, indent=2) + "\n")
