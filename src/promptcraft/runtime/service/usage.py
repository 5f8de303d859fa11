"""Counting what an instance uses, for the cost of the infrastructure."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from promptcraft.kernel import clock
from promptcraft.runtime.schemas import Usage

_GIBIBYTE = 1024**3
_MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Span:
    """What was used between two moments."""

    since: datetime
    at: datetime
    cpu_seconds: Decimal
    gib_seconds: Decimal


@dataclass(slots=True)
class Meter:
    """Adds up samples of one program; a new program needs a new one, as its CPU time begins at 0."""

    since: datetime = field(default_factory=clock.now)
    counted_cpu: float = 0.0
    cpu: float = 0.0
    gib_seconds: float = 0.0
    memory_bytes: int | None = None
    sampled: float = field(default_factory=time.monotonic)

    def sample(self, usage: Usage | None) -> None:
        """Memory between two samples counts as their mean."""
        if usage is None:
            return
        now = time.monotonic()
        before = usage.memory_bytes if self.memory_bytes is None else self.memory_bytes
        self.gib_seconds += (before + usage.memory_bytes) / 2 / _GIBIBYTE * (now - self.sampled)
        # the sum over a process tree can shrink when a child ends; what was counted stays counted
        self.cpu = max(self.cpu, usage.cpu_seconds)
        self.memory_bytes = usage.memory_bytes
        self.sampled = now

    def take(self) -> Span:
        """What was used since the last call."""
        span = Span(self.since, clock.now(), _decimal(self.cpu - self.counted_cpu), _decimal(self.gib_seconds))
        self.since, self.counted_cpu, self.gib_seconds = span.at, self.cpu, 0.0
        return span


def _decimal(value: float) -> Decimal:
    return Decimal(value).quantize(_MICRO)
