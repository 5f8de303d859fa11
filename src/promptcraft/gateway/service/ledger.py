"""The row of a call: its intent, its outcome, and what both leave for others."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.gateway.errors import TokensUsedUp, TooManyCalls
from promptcraft.gateway.schemas import CallEntry, CallStatus, ModelCalled, Policy
from promptcraft.gateway.tables import ModelCallRow
from promptcraft.kernel import audit, clock, context, outbox
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit import Event
from promptcraft.kernel.audit.catalogue.gateway import (
    MODEL_CALL_ABANDONED,
    MODEL_CALL_DISCONNECTED,
    MODEL_CALL_FAILED,
    MODEL_CALL_TIMED_OUT,
    MODEL_CALLED,
)
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id, time_of

CLOSE_ORPHANS = "gateway.close_orphans"
_GRACE = timedelta(seconds=60)
_BATCH = 500
_MINUTE = timedelta(minutes=1)

CALLS = Counter("promptcraft_model_calls_total", "Model calls that reached a final state", ["status"])
TOKENS = Counter("promptcraft_model_tokens_total", "Tokens that providers counted", ["direction"])

_EVENTS: Mapping[CallStatus, Event] = {
    CallStatus.COMPLETED: MODEL_CALLED,
    CallStatus.FAILED: MODEL_CALL_FAILED,
    CallStatus.TIMED_OUT: MODEL_CALL_TIMED_OUT,
    CallStatus.DISCONNECTED: MODEL_CALL_DISCONNECTED,
    CallStatus.ABANDONED: MODEL_CALL_ABANDONED,
}
# A function of the database: each statement would be a round trip before the first token.
_BEGIN = text("""
    select gateway.begin_call(
        :org_id, :now, :id, :user_id, :agent, :execution_id, :model, :streamed, :request_id, :deadline,
        :most_calls, :most_tokens)
""")


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a call is made: a person, or an agent and the execution that it answers, with the time it has left."""

    agent: str | None = None
    execution_id: UUID | None = None
    seconds: float | None = None


async def begin(db: Database, actor: Actor, caller: Caller, model: str, policy: Policy, *, streamed: bool) -> UUID:
    """Write the call down before anybody is asked. Raises TooManyCalls, TokensUsedUp."""
    call_id = new_id()
    now = time_of(call_id)
    began = await db.alone.first_value(
        _BEGIN,
        {
            "org_id": actor.org_id, "now": now, "id": call_id, "user_id": actor.user_id, "agent": caller.agent,
            "execution_id": caller.execution_id, "model": model, "streamed": streamed,
            "request_id": context.current().request_id,
            "deadline": now + timedelta(seconds=policy.time_limit_seconds),
            "most_calls": policy.concurrent_calls, "most_tokens": policy.tokens_per_minute,
        },
    )  # fmt: skip
    if began == "calls":
        raise TooManyCalls(f"{policy.concurrent_calls} calls are under way, more are not allowed.")
    if began == "tokens":
        raise TokensUsedUp(
            f"{policy.tokens_per_minute} tokens a minute are allowed.", retry_after_seconds=_MINUTE.seconds
        )
    return call_id


async def close(
    session: AsyncSession,
    actor: Actor,
    call_id: UUID,
    status: CallStatus,
    *,
    status_code: int | None = None,
    **values: Any,
) -> None:
    """Bring a running call to its final state, with its event and its fact; one that has a final state keeps it."""
    row = await session.scalar(
        update(ModelCallRow)
        .where(
            ModelCallRow.org_id == actor.org_id,
            ModelCallRow.created_at == time_of(call_id),
            ModelCallRow.id == call_id,
            ModelCallRow.status == CallStatus.RUNNING,
        )
        .values(status=status, finished_at=clock.now(), **values)
        .returning(ModelCallRow)
    )
    if row is None:
        return
    CALLS.labels(status).inc()
    for direction, tokens in (("input", row.input_tokens), ("output", row.output_tokens)):
        TOKENS.labels(direction).inc(tokens or 0)
    await audit.record(
        session, actor, _EVENTS[status], resource=row.id, agent=row.agent, workflow_id=row.execution_id, cost=row.cost,
        status_code=status_code, error=row.error, reason=row.error_code, model=row.model, provider=row.provider,
        streamed=row.streamed, attempts=row.attempts, input_tokens=row.input_tokens, output_tokens=row.output_tokens,
    )  # fmt: skip
    named = {name: getattr(row, name) for name in ModelCalled.model_fields if name != "call_id"}
    await outbox.publish(session, ModelCalled.model_validate({**named, "call_id": row.id}))


async def calls_of(session: AsyncSession, actor: Actor, execution_id: UUID) -> list[CallEntry]:
    """The model calls made for an execution of the actor's organisation, the first one first."""
    mine = (ModelCallRow.org_id == actor.org_id, ModelCallRow.execution_id == execution_id)
    rows = await session.scalars(select(ModelCallRow).where(*mine).order_by(ModelCallRow.created_at, ModelCallRow.id))
    return [CallEntry.model_validate(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Spent:
    """What an execution's calls came to; None where one of them is not known."""

    tokens: int | None
    cost: Decimal | None


async def spent(session: AsyncSession, actor: Actor, execution_id: UUID) -> Spent:
    """Tokens and USD of all model calls made for an execution; zero of both without any."""
    mine = (ModelCallRow.org_id == actor.org_id, ModelCallRow.execution_id == execution_id)
    row = ModelCallRow
    sums = select(
        func.count(), func.count(row.input_tokens), func.sum(row.input_tokens + row.output_tokens),
        func.count(row.cost), func.sum(row.cost),
    ).where(*mine)  # fmt: skip
    calls, counted, tokens, priced, cost = (await session.execute(sums)).one()
    return Spent(
        tokens=None if counted < calls else int(tokens or 0), cost=None if priced < calls else cost or Decimal(0)
    )


async def close_orphans(db: Database) -> None:
    """End what a process that died left running, a minute past its time limit."""
    late = (ModelCallRow.status == CallStatus.RUNNING, ModelCallRow.deadline < clock.now() - _GRACE)
    while True:
        async with system_unit_of_work(db) as session:
            found = await session.execute(select(ModelCallRow.org_id, ModelCallRow.id).where(*late).limit(_BATCH))
            orphans = found.all()
        for org_id, call_id in orphans:
            actor = platform_actor(CLOSE_ORPHANS, org_id)
            async with unit_of_work(db, actor) as session:
                await close(session, actor, call_id, CallStatus.ABANDONED, error_code="abandoned")
        if len(orphans) < _BATCH:
            return
