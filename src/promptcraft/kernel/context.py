"""What is known of the work in hand (a request, a job, a loop), for logs and audit events."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version as distribution_version
from socket import gethostname
from typing import Literal

from promptcraft.kernel.ids import new_id

Process = Literal["api", "worker", "beat", "runtime", "host"]


@dataclass(slots=True)
class WorkContext:
    """Mutable on purpose: what is learnt on the way (the route, its declared status) is filled in as it is known."""

    process: Process
    request_id: str
    correlation_id: str
    method: str | None = None
    endpoint: str | None = None
    client_address: str | None = None
    user_agent: str | None = None
    request_bytes: int | None = None
    declared_status: int | None = None
    # The audited action that the route declares (kernel.audit.Event), for the events of failures.
    action: object | None = None
    path_parameters: dict[str, str] = field(default_factory=dict[str, str])
    # Headers of the answer that the work earned on its way, whatever the answer will be.
    answer_headers: dict[str, str] = field(default_factory=dict[str, str])
    started: float = field(default_factory=time.perf_counter)

    def elapsed_ms(self) -> int:
        return round((time.perf_counter() - self.started) * 1000)


_current: ContextVar[WorkContext | None] = ContextVar("work_context", default=None)


def current() -> WorkContext:
    """The context of the work in hand; one of the host's own where nothing opened one."""
    context = _current.get()
    if context is None:
        identifier = str(new_id())
        context = WorkContext("host", identifier, identifier)
        _current.set(context)
    return context


@contextmanager
def enter(context: WorkContext) -> Generator[WorkContext]:
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


# Read once, at import: it is a file of the installation, and requests must not wait for files.
_VERSION = distribution_version("promptcraft-hybrid")


def platform_version() -> str:
    return _VERSION


@cache
def host_name() -> str:
    return gethostname()
