"""Questions and what came of them."""

from uuid import UUID

from promptcraft_sdk.client.api.making import adapter_of, follow, get, list_of, once, post
from promptcraft_sdk.client.schemas import (
    Environment,
    Execution,
    ExecutionEntry,
    ExecutionPart,
    Feedback,
    ModelCall,
)
from promptcraft_sdk.client.streams import MEDIA_TYPE, SILENCE_SECONDS, Stream
from promptcraft_sdk.client.wire import Call, reader

# How much longer than the work itself the answer may take to arrive.
_ANSWER_MARGIN = 10.0
_DEFAULT_EXECUTION_SECONDS = 30.0
# Of lists that grow for ever.
_A_PAGE = 50


def execute(
    query: str,
    *,
    agent: str | None = None,
    environment: Environment | None = None,
    session_id: UUID | None = None,
    time_limit_seconds: float | None = None,
) -> Call[Execution]:
    """Ask; Zen chooses the agent unless one is named. `session_id` of an earlier answer makes this a follow-up."""
    optional = {
        "agent": agent,
        "environment": environment,
        "session_id": str(session_id) if session_id else None,
        "time_limit_seconds": time_limit_seconds,
    }
    body = {"query": query} | {name: value for name, value in optional.items() if value is not None}
    work = time_limit_seconds or _DEFAULT_EXECUTION_SECONDS
    return once(post("/api/v4/execute", Execution, body, time_limit=work + _ANSWER_MARGIN))


def execute_stream(
    query: str,
    *,
    agent: str | None = None,
    environment: Environment | None = None,
    session_id: UUID | None = None,
    time_limit_seconds: float | None = None,
) -> Stream[Execution | ExecutionPart]:
    """Ask, and have the answer's parts as they come; the stream's end is what `execute` answers."""
    call = execute(
        query, agent=agent, environment=environment, session_id=session_id, time_limit_seconds=time_limit_seconds
    )
    read = reader(adapter_of(ExecutionPart))
    return Stream(
        call.method,
        call.template,
        call.read,
        body=call.body,
        accept=MEDIA_TYPE,
        time_limit=SILENCE_SECONDS,
        parts=dict.fromkeys(("execution", "agent", "passages", "delta", "withdrawn"), read),
    )


def execution_events(execution_id: UUID) -> Stream[Execution]:
    """Each step of an execution, then its end."""
    return follow("/api/v4/executions/{execution_id}/events", Execution, execution_id=execution_id)


def cancel_execution(execution_id: UUID) -> Call[Execution]:
    """End a running execution, and what its agent does for it."""
    return post("/api/v4/executions/{execution_id}/cancel", Execution, {}, execution_id=execution_id)


def execution(execution_id: UUID) -> Call[Execution]:
    return get("/api/v4/executions/{execution_id}", Execution, execution_id=execution_id)


def model_calls(execution_id: UUID) -> Call[list[ModelCall]]:
    """The calls of models that an execution made, the first one first."""
    return get("/api/v4/executions/{execution_id}/model-calls", list[ModelCall], execution_id=execution_id)


def give_feedback(execution_id: UUID, rating: int, comment: str = "") -> Call[Feedback]:
    body = {"rating": rating, "comment": comment}
    return once(post("/api/v4/executions/{execution_id}/feedback", Feedback, body, execution_id=execution_id))


def executions(*, limit: int | None = None) -> Call[list[ExecutionEntry]]:
    """The newest executions first: so many of them, or a page."""
    return list_of("/api/v4/executions", ExecutionEntry, limit or _A_PAGE)
