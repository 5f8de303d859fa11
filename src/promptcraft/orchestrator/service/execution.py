"""One query from its question to its answer, in three units of work: intent, committed; effect; outcome, committed."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.gateway import Gateway, Spent, grant, spent
from promptcraft.kernel import telemetry
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.orchestrator import (
    EXECUTION_COMPLETED,
    EXECUTION_DECLINED,
    EXECUTION_DISCONNECTED,
    EXECUTION_FAILED,
    EXECUTION_TIMED_OUT,
)
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.happenings import Followers
from promptcraft.kernel.idempotency import Once
from promptcraft.kernel.ids import new_id, time_of
from promptcraft.kernel.tasks import end
from promptcraft.orchestrator.errors import ExecutionCancelled, ExecutionClosed
from promptcraft.orchestrator.schemas import AgentAnswer, Asked, Begun, Execution, ExecutionStatus, Step
from promptcraft.orchestrator.service import ledger
from promptcraft.orchestrator.service.asking import Outcome, Taken, Tell, ask_in_turn, given_up
from promptcraft.orchestrator.service.cancelling import closed_elsewhere
from promptcraft.orchestrator.service.conversations import Before, begin_or_resume
from promptcraft.orchestrator.service.endpoints import running_endpoints
from promptcraft.orchestrator.service.history import done_before
from promptcraft.orchestrator.service.ledger import NO_COST, NO_TOKENS
from promptcraft.orchestrator.service.planning import Plan, plan_for
from promptcraft.orchestrator.service.routing import RoutingIndexes
from promptcraft.orchestrator.service.writing import write_intent, write_outcome
from promptcraft.registry import McpUpstream

_NOBODY = "No agent here seems to know about this, so none was asked."


@dataclass(frozen=True, slots=True)
class Zen:
    """What one process routes and asks with."""

    upstream: McpUpstream
    gateway: Gateway
    followers: Followers
    indexes: RoutingIndexes = field(default_factory=RoutingIndexes)


@dataclass(frozen=True, slots=True)
class _Intent:
    execution_id: UUID
    before: Before
    plan: Plan
    routed: Step
    grants: Mapping[str, str]


# Waits for somebody who asked to hang up.
HangUp = Callable[[], Coroutine[Any, Any, None]]


async def execute(
    db: Database,
    zen: Zen,
    actor: Actor,
    asked: Asked,
    hung_up: HangUp | None = None,
    tell: Tell | None = None,
    once: Once | None = None,
) -> Execution:
    """Route a query to an agent, ask it, and keep what came of it; that it was given up, where `hung_up` ends first.

    `tell` hears of the execution once it is written down, and of the answer's parts as they come.

    Raises KeyInUse, KeyReused, SessionNotFound, AgentNotFound, AgentNotRunning, NoAgents before anything is asked;
    AgentUnavailable, AgentFailed, ExecutionTimedOut, ExecutionCancelled, ExecutionClosed, AskerHungUp with the
    execution's id once something was.
    """
    started = time.perf_counter()
    execution_id = new_id()
    async with unit_of_work(db, actor) as session:
        if once is not None and (earlier := await done_before(session, actor, once, execution_id)) is not None:
            return earlier
        intent = await _intend(session, zen, actor, asked, execution_id, started)
    if tell is not None:
        await tell("execution", Begun(execution_id=intent.execution_id, session_id=intent.before.session_id))
    if intent.plan.turns:
        outcome = await _ask(db, zen, actor, asked, intent, started + asked.time_limit_seconds, hung_up, tell)
    else:
        nobody = AgentAnswer(answered=False, answer=_NOBODY)
        outcome = Outcome(ExecutionStatus.COMPLETED, None, nobody, None)
    async with unit_of_work(db, actor) as session:
        execution = await _conclude(session, actor, intent, outcome, started)
    if outcome.failure is not None:
        outcome.failure.detail += f" Execution {intent.execution_id} keeps what happened."
        raise outcome.failure
    return execution


async def _ask(
    db: Database,
    zen: Zen,
    actor: Actor,
    asked: Asked,
    intent: _Intent,
    deadline: float,
    hung_up: HangUp | None,
    tell: Tell | None,
) -> Outcome:
    """Ask the plan's agents, until one answers, whoever asked hangs up, or somebody ends the execution."""
    taken = Taken()

    async def turned() -> None:
        async with unit_of_work(db, actor) as session:
            await ledger.keep_steps(session, actor, intent.execution_id, (intent.routed, *taken.steps))

    asking = asyncio.ensure_future(
        ask_in_turn(
            zen.upstream,
            intent.plan.turns,
            asked.query,
            intent.before.context,
            deadline,
            intent.grants,
            taken,
            turned,
            tell,
        )  # fmt: skip
    )
    ways = [closed_elsewhere(db, zen.followers, actor, intent.execution_id), *([hung_up()] if hung_up else [])]
    ending = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait({asking, *ending}, return_when=asyncio.FIRST_COMPLETED)
        return asking.result() if asking.done() else given_up(taken)
    finally:
        # An agent is told by its connection being closed, which must have happened before this is over.
        await end(asking, *ending)


async def _intend(
    session: AsyncSession, zen: Zen, actor: Actor, asked: Asked, execution_id: UUID, started: float
) -> _Intent:
    before = await begin_or_resume(session, actor, asked.session_id)
    index = await zen.indexes.of(session, actor)
    endpoints = await running_endpoints(session, actor, index.servers)
    plan = plan_for(asked, index, endpoints, before.last_agent)
    seconds = round(time.perf_counter() - started, 4)
    routed = Step(name="route", status="completed" if plan.turns else "declined", seconds=seconds, detail=plan.reason)
    ends_at = time_of(execution_id) + timedelta(seconds=asked.time_limit_seconds)
    await write_intent(
        session, actor, execution_id, before, ends_at, prompt=asked.query, steps=ledger.steps_text([routed]),
        candidates=ledger.candidates_text(plan.candidates), trace_id=telemetry.trace_id(),
    )  # fmt: skip
    grants = await _grants(session, zen, actor, plan, execution_id, ends_at)
    return _Intent(execution_id, before, plan, routed, grants)


async def _grants(
    session: AsyncSession, zen: Zen, actor: Actor, plan: Plan, execution_id: UUID, ends_at: datetime
) -> Mapping[str, str]:
    """What lets each agent of the plan ask a model; nothing for those that quote their documents."""
    found: dict[str, str] = {}
    for name in {turn.server.name for turn in plan.turns}:
        granted = await grant(zen.gateway, session, actor, name, execution_id, ends_at)
        if granted is not None:
            found[name] = granted
    return found


async def _conclude(
    session: AsyncSession, actor: Actor, intent: _Intent, outcome: Outcome, started: float
) -> Execution:
    steps = (intent.routed, *outcome.steps)
    failure, answer, turn = outcome.failure, outcome.answer, outcome.turn
    # Agents reach no model but through the gateway, so where none was let, none was asked.
    models = await spent(session, actor, intent.execution_id) if intent.grants else Spent(NO_TOKENS, NO_COST)
    answered = answer is not None and answer.answered
    values: dict[str, Any] = {
        "answered": answered,
        "processing_time_ms": round((time.perf_counter() - started) * 1000),
        "total_cost": models.cost,
        "tokens": models.tokens,
        "steps": ledger.steps_text(steps),
        "steps_completed": _completed(steps),
        "error": failure.detail if failure else None,
        "error_code": failure.code if failure else None,
        "answer": answer.answer if answer else None,
        "citations": ledger.citations_text(answer.citations if answer else ()),
        "agent_id": turn.server.name if turn else None,
        "agent_version": turn.server.version if turn else None,
        "environment": turn.server.environment if turn else None,
        "routing_score": turn.score if turn else None,
    }
    written = await write_outcome(session, actor, intent.execution_id, outcome.status, values)
    if written is None:
        ended = await ledger.visible(session, actor, intent.execution_id)
        raise ExecutionCancelled(ended.error) if ended.status == ExecutionStatus.CANCELLED else ExecutionClosed
    row, text = written
    await ledger.tell(session, actor, row, _event_of(outcome), failure.status if failure else None)
    return ledger.execution_of(row, text)


def _completed(steps: Sequence[Step]) -> int:
    return sum(step.status in ("completed", "declined") for step in steps)


def _event_of(outcome: Outcome) -> Any:
    match outcome.status:
        case ExecutionStatus.TIMED_OUT:
            return EXECUTION_TIMED_OUT
        case ExecutionStatus.FAILED:
            return EXECUTION_FAILED
        case ExecutionStatus.CANCELLED:
            return EXECUTION_DISCONNECTED
        case _:
            answered = outcome.answer is not None and outcome.answer.answered
            return EXECUTION_COMPLETED if answered else EXECUTION_DECLINED
