"""Asking the agents of a plan in turn, until one answers. No transaction is open here."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError

from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.telemetry import tracer
from promptcraft.orchestrator.errors import AgentFailed, AgentUnavailable, AskerHungUp, ExecutionTimedOut
from promptcraft.orchestrator.schemas import (
    AgentAnswer,
    AskedAgent,
    Delta,
    ExecutionStatus,
    Passages,
    Step,
    StepStatus,
    Withdrawn,
)
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
from promptcraft_sdk.parts import Part

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


# Takes what is known of an answer before it is whole: the name of an event, and its body.
Tell = Callable[[str, BaseModel], Awaitable[None]]


@dataclass(slots=True)
class Taken:
    """The turns so far, and since when (on the clock of time.perf_counter) which one is under way."""

    steps: list[Step] = field(default_factory=list[Step])
    turn: Turn | None = None
    started: float = 0.0
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
    taken: Taken,
    turned: Callable[[], Awaitable[None]],
    tell: Tell | None,
) -> Outcome:
    """Ask until one answers; a decline counts where nobody does, a failure only where nobody even declines.

    `deadline` is on the clock of time.perf_counter; `grants` let agents, by name, ask a model; `taken` is kept up, and
    `turned` is called before another is asked, `tell` with each part of an answer.
    """
    for turn in turns:
        if turn.server.name in taken.decliners:
            continue
        if taken.steps:
            await turned()
        taken.turn, taken.started = turn, time.perf_counter()
        started = taken.started
        if started >= deadline:
            return _timed_out(taken, turn, started)
        try:
            answer = await _ask(upstream, turn, query, context, deadline - started, grants, tell)
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
    tell: Tell | None,
) -> AgentAnswer:
    grant = grants.get(turn.server.name)
    # So that an agent whose model is slow still has the time to answer without it.
    meta = {MODEL_META: {"grant": grant, "seconds": round(seconds * _MODELS_SHARE, 3)}} if grant else {}
    with tracer().start_as_current_span(f"ask {turn.server.name}"):
        arguments = _arguments(turn.server, query, context)
        if tell is not None:
            await tell("agent", AskedAgent(agent=turn.server.name, environment=turn.server.environment))
        progress = partial(_pass_on, tell) if tell is not None else None
        result = await upstream.call_tool(turn.endpoint, ASK, arguments, seconds, meta, progress)
    return _answer_of(result)


async def _pass_on(tell: Tell, message: str) -> None:
    """A part of an answer; what else an agent says meanwhile, or says wrongly, is passed over."""
    part = Part.read(message)
    if part is None:
        return
    if part.withdrawn:
        await tell("withdrawn", Withdrawn())
    if part.passages:
        with suppress(ValidationError):
            await tell("passages", Passages.model_validate({"citations": part.passages}))
    if part.delta:
        await tell("delta", Delta(text=part.delta))


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


def given_up(taken: Taken) -> Outcome:
    """What has come of asking when whoever asked hung up."""
    steps = tuple(taken.steps)
    if taken.turn is not None:
        steps = (*steps, _step(taken.turn, "cancelled", taken.started))
    return Outcome(ExecutionStatus.CANCELLED, taken.turn, None, AskerHungUp(), steps)


def _timed_out(taken: Taken, turn: Turn, started: float) -> Outcome:
    name = turn.server.name
    failure = ExecutionTimedOut(f"{name} did not answer before the time limit was reached.")
    steps = (*taken.steps, _step(turn, "timed_out", started))
    return Outcome(ExecutionStatus.TIMED_OUT, turn, None, failure, steps)


def _unanswered(taken: Taken) -> Outcome:
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
