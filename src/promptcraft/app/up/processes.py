"""Child processes that cannot outlive the process that started them."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from promptcraft.app.up.errors import UpError
from promptcraft.kernel import processes

_PR_SET_PDEATHSIG = 1
_ORPHANED = 117
_TICK = 0.01

Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Identity:
    """One process and no other: a pid alone may belong to a stranger tomorrow."""

    pid: int
    started: int

    def alive(self) -> bool:
        return processes.started(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a child runs as; the starter's own where it is None."""

    uid: int
    gid: int


def identify(pid: int) -> Identity | None:
    """The process that has this pid now, or None when there is none (a zombie counts as none)."""
    started = processes.started(pid)
    return None if started is None else Identity(pid, started)


def die_with_parent(death_signal: int, parent: int) -> None:
    """Have the kernel send `death_signal` to this process when the thread that made it ends.

    Call it in the child, after any change of user (which clears it); `parent` is the pid that forked it. It ends the
    process at once if the parent has died before the call.
    """
    if _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(_ORPHANED)


_LIBC = ctypes.CDLL(None, use_errno=True)


def spawn(
    argv: Sequence[str],
    *,
    death_signal: signal.Signals,
    output: IO[bytes] | int,
    errors: IO[bytes] | int = subprocess.STDOUT,
    environment: Mapping[str, str],
    directory: Path | None = None,
    account: Account | None = None,
    stdin: int = subprocess.DEVNULL,
    inherited: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own that gets `death_signal` when this process ends, however it ends.

    Only the main thread may call it: the death signal fires when the *thread* that started the child ends.
    """
    if threading.current_thread() is not threading.main_thread():
        raise UpError("children can only be started from the main thread")
    parent = os.getpid()

    def in_child() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with_parent(death_signal, parent)

    return subprocess.Popen(
        list(argv),
        stdin=stdin,
        stdout=output,
        stderr=errors,
        env=dict(environment),
        cwd=directory,
        pass_fds=tuple(inherited),
        # a session of its own: Ctrl-C reaches the supervisor only, which then stops the children in order
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        preexec_fn=in_child,
    )


def wait_until(done: Callable[[], bool], seconds: float, pause: Pause = time.sleep) -> bool:
    """Poll `done` until it holds or the time is over; whether it came to hold."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= deadline:
            return False
        pause(_TICK)
    return True


def ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether a child has ended; it stays a zombie until `reap`, so that its pid is nobody else's."""
    if child.returncode is not None:
        return True
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def reap(child: subprocess.Popen[bytes]) -> int:
    """End a child with all of its process group, and give its exit status (negative: the signal that ended it)."""
    if child.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def stop(child: subprocess.Popen[bytes], how: signal.Signals, seconds: float, pause: Pause = time.sleep) -> bool:
    """Ask a child to end and, past the time, make it, with all of its group; whether it ended by itself."""
    if child.returncode is not None:
        return True
    os.kill(child.pid, how)
    obeyed = wait_until(lambda: ended(child), seconds, pause)
    reap(child)
    return obeyed
