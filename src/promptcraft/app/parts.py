"""The composition: which context gives which routes, jobs and consumers, and what each is given to work with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request

from promptcraft.app.process import Process
from promptcraft.kernel import outbox
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.jobs import JobKind, StandingJob
from promptcraft.kernel.partitions import keep_partitions

_HOUR = 3600.0


def routers() -> list[APIRouter]:
    """Every context's routes."""
    return []


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process works with."""

    process: Process
    job_kinds: Mapping[str, JobKind] = field(default_factory=dict[str, JobKind])
    standing_jobs: Mapping[str, StandingJob] = field(default_factory=dict[str, StandingJob])

    @classmethod
    def make(cls, process: Process) -> "Parts":
        """Bind every context's work to this process's connections."""
        return cls(process, {}, {job.name: job for job in _standing_jobs()})

    async def start(self) -> None:
        """Make sure of what must be there before the first request or job."""
        await keep_partitions(self.process.db)

    async def close(self) -> None:
        return None

    async def authenticate(self, request: Request) -> Actor:
        raise NotImplementedError

    async def isolation(self) -> list[dict[str, Any]]:
        return []


def _standing_jobs() -> list[StandingJob]:
    consumers: list[outbox.Consumer] = []
    return [
        StandingJob(outbox.RELAY, 2.0, lambda db: outbox.relay(db, consumers)),
        StandingJob("outbox.forget", _HOUR, outbox.forget_delivered),
        StandingJob("partitions.keep", _HOUR, keep_partitions),
    ]
