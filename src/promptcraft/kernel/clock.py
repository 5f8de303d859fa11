"""The injected clock: everything that asks for the time asks here, so that a test can be three months on."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime


def _system_time() -> datetime:
    return datetime.now(UTC)


_clock: ContextVar[Callable[[], datetime]] = ContextVar("clock", default=_system_time)


def now() -> datetime:
    """The current time, UTC-aware."""
    return _clock.get()()


@contextmanager
def use(clock: Callable[[], datetime]) -> Generator[None]:
    """Take the time from `clock` inside the block (and the tasks started there)."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
