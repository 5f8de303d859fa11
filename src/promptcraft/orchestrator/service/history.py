"""What was asked and what came of it; what people think of it; what a dead process left open."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.gateway import CallEntry, calls_of
from promptcraft.kernel import audit, clock, outbox
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit.catalogue.orchestrator import EXECUTION_ABANDONED, FEEDBACK_GIVEN
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.happenings import Happening
from promptcraft.kernel.idempotency import KeyInUse, Once, claim_for, take_over
from promptcraft.kernel.pages import Page
from promptcraft.kernel.permissions import Permission
from promptcraft.orchestrator.errors import ExecutionNotFinished
from promptcraft.orchestrator.schemas import (
    Execution,
    ExecutionEntry,
    ExecutionRated,
    ExecutionStatus,
    Feedback,
    FeedbackGiven,
)
from promptcraft.orchestrator.service import ledger
from promptcraft.orchestrator.tables import ExecutionRow, ExecutionTextRow, FeedbackRow

CLOSE_ORPHANS = "orchestrator.close_orphans"
_GRACE = timedelta(seconds=60)
_BATCH = 500


async def execution(session: AsyncSession, actor: Actor, execution_id: UUID) -> Execution:
    """What came of a query. Raises ExecutionNotFound (another's, too)."""
    row = await ledger.visible(session, actor, execution_id)
    text = await session.get(ExecutionTextRow, (actor.org_id, row.created_at, row.id))
    return ledger.execution_of(row, text)


async def model_calls(session: AsyncSession, actor: Actor, execution_id: UUID) -> list[CallEntry]:
    """What models were called for it. Raises ExecutionNotFound (another's, too)."""
    await ledger.visible(session, actor, execution_id)
    return await calls_of(session, actor, execution_id)


async def execution_happening(db: Database, actor: Actor, execution_id: UUID) -> Happening:
    """What is newest of an execution. Raises ExecutionNotFound (another's, too)."""
    async with unit_of_work(db, actor) as session:
        return await ledger.newest(session, actor, execution_id)


async def done_before(session: AsyncSession, actor: Actor, once: Once, execution_id: UUID) -> Execution | None:
    """What an earlier request with this key came to; None where `execution_id` is the first, or the first failed.

    Raises KeyInUse while it is under way, KeyReused.
    """
    found = await claim_for(session, actor, once, execution_id)
    if found is None:
        return None
    earlier = await execution(session, actor, found)
    if earlier.status == ExecutionStatus.RUNNING:
        raise KeyInUse
    if earlier.status != ExecutionStatus.COMPLETED:
        await take_over(session, actor, once, found, execution_id)
        return None
    once.replayed = True
    return earlier


async def executions(session: AsyncSession, actor: Actor, page: Page) -> list[ExecutionEntry]:
    """The newest first: the actor's own, or the organisation's where they may read all."""
    which = [ExecutionRow.org_id == actor.org_id]
    if not actor.may(Permission.EXECUTION_READ_ALL):
        which.append(ExecutionRow.user_id == actor.user_id)
    by = ExecutionRow.created_at, ExecutionRow.id
    rows = await page.of(session, select(ExecutionRow).where(*which), *by, newest_first=True)
    prompts = await _prompts(session, actor, rows)
    return [
        ExecutionEntry(
            execution_id=row.id,
            status=ExecutionStatus(row.status),
            answered=row.answered,
            agent=row.agent_id,
            environment=row.environment,
            query=prompts.get(row.id),
            session_id=row.session_id,
            user_id=row.user_id,
            created_at=row.created_at,
            response_time_ms=row.processing_time_ms,
            tokens=row.tokens,
            cost=row.total_cost,
        )
        for row in rows
    ]


async def running_executions(session: AsyncSession, actor: Actor) -> int:
    """How many of the organisation's executions are under way."""
    running = (ExecutionRow.org_id == actor.org_id, ExecutionRow.status == ExecutionStatus.RUNNING)
    return await session.scalar(select(func.count()).select_from(ExecutionRow).where(*running)) or 0


async def give_feedback(session: AsyncSession, actor: Actor, execution_id: UUID, given: FeedbackGiven) -> Feedback:
    """Rate a finished execution; the same person's second rating replaces the first.

    Raises ExecutionNotFound (also for another organisation's), ExecutionNotFinished.
    """
    rated = await ledger.visible(session, actor, execution_id)
    if rated.finished_at is None:
        raise ExecutionNotFinished
    opinion = {"rating": given.rating, "comment": given.comment, "given_at": clock.now()}
    row = await session.scalar(
        insert(FeedbackRow)
        .values(org_id=actor.org_id, execution_id=execution_id, user_id=actor.user_id, **opinion)
        .on_conflict_do_update(constraint="feedback_pkey", set_=opinion)
        .returning(FeedbackRow)
        .execution_options(populate_existing=True)
    )
    feedback = Feedback.model_validate(row)
    await audit.record(session, actor, FEEDBACK_GIVEN, resource=execution_id, agent=rated.agent_id, rating=given.rating)
    await outbox.publish(session, ExecutionRated.model_validate(row, from_attributes=True))
    return feedback


async def close_orphans(db: Database) -> None:
    """End what a process that died left running: a minute past its time limit, nobody works on it any more."""
    late = (ExecutionRow.status == ExecutionStatus.RUNNING, ExecutionRow.deadline < clock.now() - _GRACE)
    while True:
        async with system_unit_of_work(db) as session:
            found = await session.execute(select(ExecutionRow.org_id, ExecutionRow.id).where(*late).limit(_BATCH))
            orphans = found.all()
        for org_id, execution_id in orphans:
            actor = platform_actor(CLOSE_ORPHANS, org_id)
            async with unit_of_work(db, actor) as session:
                await ledger.close(
                    session, actor, execution_id, ExecutionStatus.FAILED, EXECUTION_ABANDONED,
                    error="The process that ran it died, so its outcome is not known.", error_code="abandoned",
                )  # fmt: skip
        if len(orphans) < _BATCH:
            return


async def _prompts(session: AsyncSession, actor: Actor, rows: Sequence[ExecutionRow]) -> dict[UUID, str]:
    if not rows:
        return {}
    found = await session.execute(
        select(ExecutionTextRow.execution_id, ExecutionTextRow.prompt).where(
            ExecutionTextRow.org_id == actor.org_id,
            # The bounds let PostgreSQL leave the other days' partitions out.
            ExecutionTextRow.created_at.between(rows[-1].created_at, rows[0].created_at),
            ExecutionTextRow.execution_id.in_([row.id for row in rows]),
        )
    )
    return {execution_id: prompt for execution_id, prompt in found}
