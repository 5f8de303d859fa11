"""What a job is made of."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.actor import Actor
from promptcraft.kernel.db import Database


class JobState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    # Being undone because somebody cancelled it, and undone.
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class StepView(BaseModel):
    """One step as the status API shows it; `seconds` is null until it ended."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: str
    seconds: float | None
    error: str | None


class JobView(BaseModel):
    """A job as the status API shows it. `percentage` is 0 to 100; `revision` counts what has happened to it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    revision: int
    user_id: UUID | None
    kind: str
    state: JobState
    phase: str
    percentage: int
    steps: tuple[StepView, ...]
    warnings: tuple[str, ...]
    error: str | None
    error_code: str | None
    next_step: str | None
    payload: str
    created_at: datetime
    finished_at: datetime | None


class Retry(Exception):
    """A step met something that passes by itself: run it again later, without undoing anything."""


class FenceLost(Exception):
    """Another worker holds the job now; whatever this one still does must not count."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step works with.

    `results` holds what earlier steps returned, by step name. A step may run more than once (a worker can die at any
    point), so its effects carry deterministic names; `unit_of_work` refuses to start once another worker took the job.
    """

    job_id: UUID
    actor: Actor
    db: Database
    payload: Any
    results: dict[str, dict[str, Any]]
    unit_of_work: Callable[[], AbstractAsyncContextManager[AsyncSession]]
    warn: Callable[[str], Awaitable[None]]


RunStep = Callable[[StepContext], Awaitable[dict[str, Any] | None]]
UndoStep = Callable[[StepContext], Awaitable[None]]
Finished = Callable[[AsyncSession, Actor, JobView], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """One idempotent step. `undo` removes whatever `run` may have left, also when `run` never finished.

    One that only waits for others is `interruptible`: cancelling the job ends it in the midst. The others come to their
    end first, as what they do in threads would go on beside the undoing.
    """

    name: str
    run: RunStep
    undo: UndoStep | None = None
    interruptible: bool = False


@dataclass(frozen=True, slots=True)
class JobKind:
    """All that a worker needs to run jobs of one kind; registered by the composition root.

    `finished` runs in the transaction that makes the final state (completed, failed or cancelled) true.
    """

    name: str
    payload: type[BaseModel]
    steps: tuple[Step, ...]
    finished: Finished | None = None
    max_attempts: int = 3
    steps_by_name: dict[str, Step] = field(init=False, default_factory=dict[str, Step])

    def __post_init__(self) -> None:
        self.steps_by_name.update({step.name: step for step in self.steps})


@dataclass(frozen=True, slots=True)
class StandingJob:
    """Periodic work of the platform itself, run `every_seconds` after it last ended.

    Where it is `woken`, what it looks for is told of, and it runs at once when it is sent.
    """

    name: str
    every_seconds: float
    run: Callable[[Database], Awaitable[None]]
    woken: bool = False
