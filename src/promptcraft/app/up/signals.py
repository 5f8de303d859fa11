"""Signals taken one by one by the main thread, where it looks for them: no handler ever interrupts anything."""

import signal
from collections.abc import Generator
from contextlib import contextmanager

from promptcraft.app.up.errors import StopRequested

_STOP = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_TAKEN = {*_STOP, signal.SIGCHLD}


@contextmanager
def signals_taken() -> Generator[None]:
    """From here on a request to stop waits until `pause` looks for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _TAKEN)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pause(seconds: float) -> None:
    """Sleep, less when a child ends; raises StopRequested on Ctrl-C, SIGTERM or SIGHUP."""
    got = signal.sigtimedwait(_TAKEN, seconds)
    if got is not None and got.si_signo in _STOP:
        raise StopRequested
