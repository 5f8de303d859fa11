"""Asking the agents of a plan in turn, until one answers. No transaction is open here."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.telemetry import tracer
from promptcraft.orchestrator.errors import AgentFailed, AgentUnavailable, ExecutionTimedOut
from promptcraft.orchestrator.schemas import AgentAnswer, ExecutionStatus, Step, StepStatus
from promptcraft.orchestrator.service.planning import Turn
from promptcraft.orchestrator.service.routing import ASK
from promptcraft.registry import (
    McpUpstream,
    Server,
    ToolResult,
    UpstreamFailed,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from promptcraft_sdk.configuration import MODEL_META

_LONGEST_DETAIL = 300
_MODELS_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking: the turn that counts, its answer or why there is none, and every step on the way."""

    status: ExecutionStatus
    turn: Turn | None
    answer: AgentAnswer | None
    failure: PlatformError | None
    steps: tuple[Step, ...] = ()


@dataclass(slots=True)
class _Taken:
    """The turns so far."""

    steps: list[Step] = field(default_factory=list[Step])
    decliners: set[str] = field(default_factory=set[str])
    declined: tuple[Turn, AgentAnswer] | None = None
    failed: tuple[Turn, PlatformError] | None = None


async def ask_in_turn(
    upstream: McpUpstream,
    turns: Sequence[Turn],
    query: str,
    context: Sequence[str],
    deadline: float,
    grants: Mapping[str, str],
) -> Outcome:
    """Ask until one answers; a decline counts where nobody does, a failure only where nobody even declines.

    `deadline` is on the clock of time.perf_counter; `grants` let agents, by name, ask a model.
    """
    taken = _Taken()
    for turn in turns:
        if turn.server.name in taken.decliners:
            continue
        started = time.perf_counter()
        if started >= deadline:
            return _timed_out(taken, turn, started)
        try:
            answer = await _ask(upstream, turn, query, context, deadline - started, grants)
        except UpstreamTimedOut:
            return _timed_out(taken, turn, started)
        except (UpstreamUnavailable, UpstreamFailed) as failure:
            taken.steps.append(_step(turn, "failed", started, failure.detail))
            taken.failed = taken.failed or (turn, _failure(turn, failure))
            continue
        if answer.answered:
            taken.steps.append(_step(turn, "completed", started))
            return Outcome(ExecutionStatus.COMPLETED, turn, answer, None, tuple(taken.steps))
        taken.steps.append(_step(turn, "declined", started))
        taken.decliners.add(turn.server.name)
        taken.declined = taken.declined or (turn, answer)
    return _unanswered(taken)


async def _ask(
    upstream: McpUpstream,
    turn: Turn,
    query: str,
    context: Sequence[str],
    seconds: float,
    grants: Mapping[str, str],
) -> AgentAnswer:
    grant = grants.get(turn.server.name)
    # So that an agent whose model is slow still has the time to answer without it.
    meta = {MODEL_META: {"grant": grant, "seconds": round(seconds * _MODELS_SHARE, 3)}} if grant else {}
    with tracer().start_as_current_span(f"ask {turn.server.name}"):
        arguments = _arguments(turn.server, query, context)
        result = await upstream.call_tool(turn.endpoint, ASK, arguments, seconds, meta)
    return _answer_of(result)


def _arguments(server: Server, query: str, context: Sequence[str]) -> dict[str, Any]:
    """What the agent's own contract lets `ask` be given."""
    schema = next(tool.input_schema for tool in server.tools if tool.name == ASK)
    takes: Mapping[str, Any] = schema.get("properties", {}).get("context", {})
    types = {kind.get("type") for kind in (takes, *takes.get("anyOf", ()))}
    if context and "array" in types:
        return {"query": query, "context": list(context)}
    if context and "string" in types:
        return {"query": query, "context": "\n\n".join(context)}
    return {"query": query}


def _answer_of(result: ToolResult) -> AgentAnswer:
    try:
        return AgentAnswer.model_validate(result.structured)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"]) or "the answer"
        raise UpstreamFailed(f"Its answer has not the form of one: {where}: {first['msg']}.") from error


def _timed_out(taken: _Taken, turn: Turn, started: float) -> Outcome:
    name = turn.server.name
    failure = ExecutionTimedOut(f"{name} did not answer before the time limit was reached.")
    steps = (*taken.steps, _step(turn, "timed_out", started))
    return Outcome(ExecutionStatus.TIMED_OUT, turn, None, failure, steps)


def _unanswered(taken: _Taken) -> Outcome:
    steps = tuple(taken.steps)
    if taken.declined is not None:
        turn, answer = taken.declined
        return Outcome(ExecutionStatus.COMPLETED, turn, answer, None, steps)
    turn, failure = taken.failed or (None, None)
    return Outcome(ExecutionStatus.FAILED, turn, None, failure, steps)


def _failure(turn: Turn, failure: UpstreamUnavailable | UpstreamFailed) -> PlatformError:
    name = turn.server.name
    if isinstance(failure, UpstreamUnavailable):
        return AgentUnavailable(f"{name} does not answer in {turn.server.environment}.")
    return AgentFailed(
        f"{name} failed: {failure.detail}", next_step=f"Read its output with `pc-hybrid agent logs {name}`."
    )


def _step(turn: Turn, status: StepStatus, started: float, detail: str = "") -> Step:
    seconds = round(time.perf_counter() - started, 4)
    server = turn.server
    return Step(
        name="ask",
        status=status,
        seconds=seconds,
        agent=server.name,
        environment=server.environment,
        detail=detail[:_LONGEST_DETAIL],
    )
