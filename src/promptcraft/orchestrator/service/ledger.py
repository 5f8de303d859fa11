"""The rows of an execution: its intent, its outcome, and what both leave for others."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from pydantic import TypeAdapter
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import audit, clock, outbox
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit import Event
from promptcraft.kernel.happenings import Happening, tell_followers
from promptcraft.kernel.ids import time_of
from promptcraft.kernel.permissions import Permission
from promptcraft.orchestrator.errors import ExecutionNotFound
from promptcraft.orchestrator.schemas import (
    Candidate,
    Citation,
    Execution,
    ExecutionFinished,
    ExecutionStatus,
    Step,
)
from promptcraft.orchestrator.tables import ExecutionRow, ExecutionTextRow

# Of an execution for which no model was asked.
NO_COST, NO_TOKENS = Decimal(0), 0

EXECUTIONS = Counter("promptcraft_executions_total", "Executions that reached a final state", ["status", "answered"])
_CITATIONS = TypeAdapter(tuple[Citation, ...])
_CANDIDATES = TypeAdapter(tuple[Candidate, ...])
_STEPS = TypeAdapter(tuple[Step, ...])


def citations_text(citations: Sequence[Citation]) -> str:
    return _CITATIONS.dump_json(tuple(citations)).decode()


def candidates_text(candidates: Sequence[Candidate]) -> str:
    return _CANDIDATES.dump_json(tuple(candidates)).decode()


def steps_text(steps: Sequence[Step]) -> str:
    return _STEPS.dump_json(tuple(steps)).decode()


async def close(
    session: AsyncSession,
    actor: Actor,
    execution_id: UUID,
    status: ExecutionStatus,
    event: Event,
    *,
    status_code: int | None = None,
    **values: Any,
) -> ExecutionRow | None:
    """Bring a running execution to its final state, with its event and its fact; None where it has one already."""
    row = await session.scalar(
        update(ExecutionRow)
        .where(
            ExecutionRow.org_id == actor.org_id,
            ExecutionRow.created_at == time_of(execution_id),
            ExecutionRow.id == execution_id,
            ExecutionRow.status == ExecutionStatus.RUNNING,
        )
        .values(status=status, finished_at=clock.now(), **values)
        .returning(ExecutionRow)
        .execution_options(populate_existing=True)
    )
    if row is None:
        return None
    await tell(session, actor, row, event, status_code)
    return row


async def keep_steps(session: AsyncSession, actor: Actor, execution_id: UUID, steps: Sequence[Step]) -> None:
    """Write down the steps of a running execution so far."""
    mine = (ExecutionRow.org_id == actor.org_id, ExecutionRow.created_at == time_of(execution_id))
    running = (ExecutionRow.id == execution_id, ExecutionRow.status == ExecutionStatus.RUNNING)
    await session.execute(update(ExecutionRow).where(*mine, *running).values(steps=steps_text(steps)))
    tell_followers(session, execution_id)


async def tell(session: AsyncSession, actor: Actor, row: ExecutionRow, event: Event, status_code: int | None) -> None:
    """The event, the fact and the count of an execution that just reached its final state."""
    EXECUTIONS.labels(row.status, row.answered).inc()
    tell_followers(session, row.id)
    await audit.record(
        session, actor, event, resource=row.id, agent=row.agent_id, workflow_id=row.id, cost=row.total_cost,
        status_code=status_code, error=row.error, reason=row.error_code, environment=row.environment,
        version=row.agent_version,
    )  # fmt: skip
    fact = {
        "execution_id": row.id,
        "agent": row.agent_id,
        "score": row.routing_score,
        "model_cost": row.total_cost or NO_COST,
    }
    named = {name: getattr(row, name) for name in ExecutionFinished.model_fields if name not in fact}
    await outbox.publish(session, ExecutionFinished.model_validate(named | fact))


async def visible(session: AsyncSession, actor: Actor, execution_id: UUID) -> ExecutionRow:
    """An execution of the actor's own, or of the organisation where they may read all. Raises ExecutionNotFound."""
    try:
        key = (actor.org_id, time_of(execution_id), execution_id)
    except (ValueError, OverflowError):
        raise ExecutionNotFound from None
    row = await session.get(ExecutionRow, key)
    if row is None or not (row.user_id == actor.user_id or actor.may(Permission.EXECUTION_READ_ALL)):
        raise ExecutionNotFound
    return row


async def newest(session: AsyncSession, actor: Actor, execution_id: UUID) -> Happening:
    """What is newest of an execution: it begins, then each of its steps, then its end. Raises ExecutionNotFound."""
    row = await visible(session, actor, execution_id)
    execution = execution_of(row, await session.get(ExecutionTextRow, (actor.org_id, row.created_at, row.id)))
    ended = row.finished_at is not None
    return Happening(1 + len(execution.steps) + ended, execution, ended)


def execution_of(row: ExecutionRow, text: ExecutionTextRow | None) -> Execution:
    return Execution(
        execution_id=row.id,
        status=ExecutionStatus(row.status),
        query=text.prompt if text else None,
        answer=text.answer if text else None,
        answered=row.answered,
        citations=_CITATIONS.validate_json(text.citations) if text else (),
        agent=row.agent_id,
        agent_version=row.agent_version,
        environment=row.environment,
        score=row.routing_score,
        candidates=_CANDIDATES.validate_json(row.candidates),
        steps=_STEPS.validate_json(row.steps),
        tokens=row.tokens,
        cost=row.total_cost,
        trace_id=row.trace_id,
        session_id=row.session_id,
        created_at=row.created_at,
        response_time_ms=row.processing_time_ms,
        error=row.error,
    )
