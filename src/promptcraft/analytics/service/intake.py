"""Taking in what other contexts tell. Telling it twice counts once, whatever the order."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.analytics.tables import (
    AgentEvaluationRow,
    ExecutionFactRow,
    ExecutionRatingRow,
    ModelCallFactRow,
    RuntimeUsageRow,
)
from promptcraft.gateway import ModelCalled
from promptcraft.kernel.db import Base
from promptcraft.kernel.outbox import Consumer, Fact
from promptcraft.orchestrator import ExecutionFinished, ExecutionRated
from promptcraft.registry import ServerRegistered
from promptcraft.runtime import RuntimeUsage

F = TypeVar("F", bound=Fact)


async def take_in_executions(session: AsyncSession, facts: Sequence[Fact]) -> None:
    """Keep each finished execution."""
    for fact in _of(ExecutionFinished, facts):
        values = {
            "created_at": fact.created_at,
            "execution_id": fact.execution_id,
            "finished_at": fact.finished_at,
            "user_id": fact.user_id,
            "agent": fact.agent,
            "status": fact.status,
            "response_time_ms": fact.processing_time_ms,
            "model_cost": fact.model_cost,
        }
        await session.execute(_adding(session, ExecutionFactRow, values).on_conflict_do_nothing())


async def take_in_ratings(session: AsyncSession, facts: Sequence[Fact]) -> None:
    """Keep each person's latest rating of an execution, also of one that is not here yet."""
    for fact in _of(ExecutionRated, facts):
        key = {"execution_id": fact.execution_id, "user_id": fact.user_id}
        opinion = {"rating": fact.rating, "rated_at": fact.given_at}
        adding = _adding(session, ExecutionRatingRow, key | opinion)
        newer = adding.excluded.rated_at > ExecutionRatingRow.rated_at
        await session.execute(adding.on_conflict_do_update("execution_rating_pkey", set_=opinion, where=newer))


async def take_in_usage(session: AsyncSession, facts: Sequence[Fact]) -> None:
    """Keep what each agent's process used."""
    for fact in _of(RuntimeUsage, facts):
        values = {
            "ended_at": fact.at,
            "instance_id": fact.instance_id,
            "agent": fact.agent,
            "cpu_seconds": fact.cpu_seconds,
            "gib_seconds": fact.gib_seconds,
        }
        await session.execute(_adding(session, RuntimeUsageRow, values).on_conflict_do_nothing())


async def take_in_model_calls(session: AsyncSession, facts: Sequence[Fact]) -> None:
    """Keep each finished model call."""
    for fact in _of(ModelCalled, facts):
        kept = {
            "created_at", "call_id", "user_id", "agent", "execution_id", "model", "status", "input_tokens",
            "output_tokens", "cost",
        }  # fmt: skip
        adding = _adding(session, ModelCallFactRow, fact.model_dump(include=kept))
        await session.execute(adding.on_conflict_do_nothing())


async def take_in_evaluations(session: AsyncSession, facts: Sequence[Fact]) -> None:
    """Keep what each agent's last gate found; a registration without one leaves the former gate's finding."""
    for fact in _of(ServerRegistered, facts):
        if fact.evaluation is None:
            continue
        found = {
            "questions": fact.evaluation.questions,
            "answered_right": fact.evaluation.correct,
            "evaluated_at": fact.registered_at,
        }
        adding = _adding(session, AgentEvaluationRow, {"agent": fact.server} | found)
        newer = adding.excluded.evaluated_at > AgentEvaluationRow.evaluated_at
        await session.execute(adding.on_conflict_do_update("agent_evaluation_pkey", set_=found, where=newer))


CONSUMERS = (
    Consumer(ExecutionFinished, take_in_executions),
    Consumer(ExecutionRated, take_in_ratings),
    Consumer(RuntimeUsage, take_in_usage),
    Consumer(ModelCalled, take_in_model_calls),
    Consumer(ServerRegistered, take_in_evaluations),
)


def _of(kind: type[F], facts: Iterable[Fact]) -> list[F]:
    return [fact for fact in facts if isinstance(fact, kind)]


def _adding(session: AsyncSession, table: type[Base], values: dict[str, Any]) -> Insert:
    org_id: UUID = session.info["org_id"]
    return insert(table).values(org_id=org_id, **values)
