"""Running jobs: a lease says who may, a fencing token makes sure, and every step's outcome is kept."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.errors import PlatformError, Unavailable
from promptcraft.kernel.happenings import tell_followers
from promptcraft.kernel.jobs.lease import Claim, claim_job, holding, leave_job, release_job
from promptcraft.kernel.jobs.model import FenceLost, JobKind, JobState, Retry, Step, StepContext
from promptcraft.kernel.jobs.tables import JobRow, JobStepRow
from promptcraft.kernel.jobs.view import view_of
from promptcraft.kernel.telemetry import get_logger, tracer

_log = get_logger(__name__)
_BEGUN = (JobState.COMPLETED, JobState.RUNNING, JobState.FAILED, JobState.CANCELLED)
_FENCE = text("select 1 from kernel.job where org_id = :org_id and id = :id and fencing_token = :token for share")


@dataclass(frozen=True, slots=True)
class _Run:
    """One worker's hold on one job."""

    db: Database
    kind: JobKind
    claim: Claim
    actor: Actor
    cancelled: asyncio.Event

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncGenerator[AsyncSession]:
        async with unit_of_work(self.db, self.actor) as session:
            fence = {"org_id": self.claim.org_id, "id": self.claim.job_id, "token": self.claim.token}
            if await session.scalar(_FENCE, fence) is None:
                raise FenceLost
            yield session
            tell_followers(session, self.claim.job_id)

    async def warn(self, warning: str) -> None:
        async with self.unit_of_work() as session:
            job = await self.job(session)
            warnings = orjson.loads(job.warnings)
            if warning not in warnings:
                job.warnings = orjson.dumps([*warnings, warning]).decode()

    async def job(self, session: AsyncSession) -> JobRow:
        return await session.get_one(JobRow, (self.claim.org_id, self.claim.job_id))

    async def steps(self, session: AsyncSession) -> list[JobStepRow]:
        mine = select(JobStepRow).where(JobStepRow.org_id == self.claim.org_id, JobStepRow.job_id == self.claim.job_id)
        return list(await session.scalars(mine.order_by(JobStepRow.position)))


async def run_job(db: Database, kinds: Mapping[str, JobKind], job_id: UUID, worker: str) -> None:
    """Take the job if it is due and nobody holds it, and bring it as far as it goes.

    Returns when it is finished, handed back for a later try, or was not ours to take.
    """
    claim = await claim_job(db, kinds, job_id, worker)
    if claim is None:
        return
    work = WorkContext("worker", claim.actor.request_id, claim.correlation_id)
    with enter(work), tracer().start_as_current_span(f"job {claim.kind}"):
        try:
            async with holding(db, claim) as cancelled:
                await _advance(_Run(db, kinds[claim.kind], claim, claim.actor, cancelled))
        except FenceLost:
            _log.warning("another worker took the job", extra={"job": str(job_id)})
        except (Retry, Unavailable) as reason:
            await release_job(db, claim, str(reason))


async def _advance(run: _Run) -> None:
    if not await _knows_every_step(run):
        await leave_job(run.db, run.claim)
        return
    if run.claim.state not in (JobState.COMPENSATING, JobState.CANCELLING):
        # A worker that dies in the same step again and again is the step's doing.
        if run.claim.attempt > run.kind.max_attempts:
            reason = run.claim.error or "the worker died"
            await _fail(run, f"gave up after {run.claim.attempt - 1} attempts: {reason}", "interrupted", None)
        elif await _forward(run) and await _complete(run):
            return
    await _compensate(run)


async def _knows_every_step(run: _Run) -> bool:
    """Whether this version's kind has all the steps of the job, which a newer version may have started."""
    async with run.unit_of_work() as session:
        return all(step.name in run.kind.steps_by_name for step in await run.steps(session))


async def _forward(run: _Run) -> bool:
    """Run the steps that are left; False when what they did is to be undone: one failed for good, or cancelled."""
    while True:
        async with run.unit_of_work() as session:
            steps = await run.steps(session)
            waiting = next((step for step in steps if step.state != JobState.COMPLETED), None)
            if waiting is None:
                return True
            job = await run.job(session)
            if job.state == JobState.CANCELLING:
                return False
            name = waiting.name
            waiting.state, waiting.started_at = JobState.RUNNING, waiting.started_at or clock.now()
            job.phase, job.percentage = name, 100 * waiting.position // len(steps)
            done = {step.name: orjson.loads(step.result or "{}") for step in steps if step.state == JobState.COMPLETED}
        try:
            result = await _step(run, run.kind.steps_by_name[name], _context(run, done))
        except (FenceLost, Retry, Unavailable):
            raise
        except _Interrupted:
            return False
        except PlatformError as refusal:
            await _fail(run, refusal.detail, refusal.code, refusal.next_step, name)
            return False
        except Exception as failure:  # noqa: BLE001 - process edge: any failure of a step ends the job, told and undone
            _log.exception("step failed", extra={"job": str(run.claim.job_id), "step": name})
            await _fail(run, f"{type(failure).__name__}: {failure}"[:2000], "step_failed", None, name)
            return False
        async with run.unit_of_work() as session:
            step = await session.get_one(JobStepRow, (run.claim.org_id, run.claim.job_id, name))
            step.state, step.finished_at = JobState.COMPLETED, clock.now()
            step.result = orjson.dumps(result or {}).decode()
            # A step that got through earns the next one its full number of attempts, and what held it up is over.
            job = await run.job(session)
            if job.state != JobState.CANCELLING:
                job.attempt, job.error = 1, None


class _Interrupted(Exception):
    """The job was cancelled in the midst of a step."""


async def _step(run: _Run, step: Step, context: StepContext) -> dict[str, Any] | None:
    if not step.interruptible:
        return await step.run(context)
    working = asyncio.ensure_future(step.run(context))
    stopping = asyncio.ensure_future(run.cancelled.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _Interrupted
        return working.result()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _context(run: _Run, results: dict[str, dict[str, Any]]) -> StepContext:
    payload = run.kind.payload.model_validate_json(run.claim.payload)
    return StepContext(run.claim.job_id, run.actor, run.db, payload, results, run.unit_of_work, run.warn)


async def _fail(run: _Run, error: str, code: str, next_step: str | None, step_name: str | None = None) -> None:
    async with run.unit_of_work() as session:
        job = await run.job(session)
        if job.state != JobState.CANCELLING:
            job.state, job.error, job.error_code, job.next_step = JobState.COMPENSATING, error, code, next_step
        for step in await run.steps(session):
            if step.name == step_name or (step_name is None and step.state == JobState.RUNNING):
                step.state, step.error, step.finished_at = JobState.FAILED, error, clock.now()


async def _compensate(run: _Run) -> None:
    """Undo in reverse order everything that began, the interrupted step included."""
    async with run.unit_of_work() as session:
        cancelled = (await run.job(session)).state == JobState.CANCELLING
        steps = await run.steps(session)
        for row in steps:
            if cancelled and row.state == JobState.RUNNING:
                row.state, row.finished_at = JobState.CANCELLED, clock.now()
        done = {step.name: orjson.loads(step.result or "{}") for step in steps}
        begun = [step.name for step in steps if step.state in _BEGUN]
    for name in reversed(begun):
        step: Step = run.kind.steps_by_name[name]
        if step.undo is not None:
            try:
                await step.undo(_context(run, done))
            except (FenceLost, Unavailable):
                raise
            except Exception as failure:
                _log.exception("undo failed", extra={"job": str(run.claim.job_id), "step": name})
                raise Retry(f"undoing {name} failed: {failure}") from failure
        async with run.unit_of_work() as session:
            row = await session.get_one(JobStepRow, (run.claim.org_id, run.claim.job_id, name))
            if row.state == JobState.COMPLETED:
                row.state = "undone"
    async with run.unit_of_work() as session:
        await _finish(run, session, JobState.CANCELLED if cancelled else JobState.FAILED)


async def _complete(run: _Run) -> bool:
    """Make the job completed; False where it was cancelled before."""
    async with run.unit_of_work() as session:
        if (await run.job(session)).state == JobState.CANCELLING:
            return False
        await _finish(run, session, JobState.COMPLETED)
        return True


async def _finish(run: _Run, session: AsyncSession, state: JobState) -> None:
    job = await run.job(session)
    steps = await run.steps(session)
    job.state, job.finished_at, job.lease_until, job.lease_owner = state, clock.now(), None, None
    if state is JobState.COMPLETED:
        job.percentage, job.error = 100, None
    await session.flush()
    if run.kind.finished is not None:
        await run.kind.finished(session, run.actor, view_of(job, steps))
