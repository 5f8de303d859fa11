"""Reading jobs."""

from uuid import UUID

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.jobs.model import JobState, JobView, StepView
from promptcraft.kernel.jobs.tables import JobRow, JobStepRow


async def job_view(session: AsyncSession, org_id: UUID, job_id: UUID) -> JobView | None:
    """The job and its steps; None where this organisation has no such job."""
    row = await session.get(JobRow, (org_id, job_id), populate_existing=True)
    if row is None:
        return None
    steps = await session.scalars(
        select(JobStepRow)
        .where(JobStepRow.org_id == org_id, JobStepRow.job_id == job_id)
        .order_by(JobStepRow.position)
        .execution_options(populate_existing=True)
    )
    return view_of(row, list(steps))


def view_of(row: JobRow, steps: list[JobStepRow]) -> JobView:
    return JobView(
        id=row.id,
        revision=_revision(row, steps),
        user_id=row.user_id,
        kind=row.kind,
        state=JobState(row.state),
        phase=row.phase,
        percentage=row.percentage,
        steps=tuple(_step_view(step) for step in steps),
        warnings=tuple(orjson.loads(row.warnings)),
        error=row.error,
        error_code=row.error_code,
        next_step=row.next_step,
        payload=row.payload,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


# How often a step has changed when it is in this state; a state that is not named is the step's end.
_CHANGES = {JobState.PENDING: 0, JobState.RUNNING: 1, "undone": 3}


def _revision(row: JobRow, steps: list[JobStepRow]) -> int:
    """From the rows alone, and more with each change of them: a step only ever goes from one state to a later one."""
    turned = row.state in (JobState.COMPENSATING, JobState.CANCELLING, JobState.FAILED, JobState.CANCELLED)
    count = len(orjson.loads(row.warnings)) + sum(_CHANGES.get(step.state, 2) for step in steps)
    return 1 + count + (row.state != JobState.PENDING) + turned + (row.finished_at is not None)


def _step_view(step: JobStepRow) -> StepView:
    seconds = None
    if step.started_at is not None and step.finished_at is not None:
        seconds = round((step.finished_at - step.started_at).total_seconds(), 3)
    return StepView(name=step.name, status=step.state, seconds=seconds, error=step.error)


async def median_duration(session: AsyncSession, org_id: UUID, kind: str) -> float | None:
    """The median duration in seconds of this organisation's completed jobs of a kind; None before the first."""
    duration = func.extract("epoch", JobRow.finished_at - JobRow.created_at)
    median = await session.scalar(
        select(func.percentile_cont(0.5).within_group(duration)).where(
            JobRow.org_id == org_id, JobRow.kind == kind, JobRow.state == JobState.COMPLETED
        )
    )
    return None if median is None else float(median)


async def jobs_waiting(session: AsyncSession, org_id: UUID) -> int:
    """How many of this organisation's jobs no worker has begun."""
    waiting = select(func.count()).where(JobRow.org_id == org_id, JobRow.state == JobState.PENDING)
    return await session.scalar(waiting) or 0


async def others_unfinished(session: AsyncSession, org_id: UUID, job_id: UUID) -> int:
    """How many jobs of this organisation beside this one are waiting or under way."""
    others = (JobRow.org_id == org_id, JobRow.finished_at.is_(None), JobRow.id != job_id)
    return await session.scalar(select(func.count()).where(*others)) or 0


async def jobs_unfinished(session: AsyncSession) -> int:
    """How many jobs of all organisations are waiting or under way; asked as `system`."""
    return await session.scalar(select(func.count()).where(JobRow.finished_at.is_(None))) or 0
