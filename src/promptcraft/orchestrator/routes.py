"""Asking, and looking at what came of it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from promptcraft.gateway import CallEntry
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import AskedPage, Db, Envelope, Session, requires
from promptcraft.kernel.audit.catalogue.orchestrator import EXECUTION_CANCELLED, EXECUTION_COMPLETED, FEEDBACK_GIVEN
from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.permissions import Permission
from promptcraft.kernel.problems import problem_answer
from promptcraft.kernel.repeats import GivenOnce, RepeatableRoute, done_once
from promptcraft.kernel.streams import (
    EVENT,
    MEDIA_TYPE,
    STREAMED,
    LastEventId,
    OwnStreams,
    begin_stream,
    heartbeats,
    hung_up,
    send_part,
    sse,
    wants_stream,
)
from promptcraft.orchestrator import service
from promptcraft.orchestrator.schemas import Asked, Execution, ExecutionEntry, Feedback, FeedbackGiven

router = APIRouter(prefix="/api/v4", tags=["executions"], route_class=RepeatableRoute)


# What `POST /execute` answers to `Accept: text/event-stream`.
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; with `Accept: text/event-stream`, its parts as they come: `execution` with its id, "
        "`agent` where one is asked, `passages` that its answer will stand on, `delta` with more words, `withdrawn` "
        "where those so far do not count, and `end` with this very body, or `problem`",
        "content": {MEDIA_TYPE: {"schema": EVENT}},
    }
}


async def _zen(request: Request) -> service.Zen:
    return request.app.state.zen


@router.post("/execute", response_model=Envelope[Execution], responses=_ANSWERS)
async def execute(
    asked: Asked,
    request: Request,
    db: Db,
    zen: Annotated[service.Zen, Depends(_zen)],
    actor: Annotated[Actor, requires(Permission.EXECUTION_RUN, EXECUTION_COMPLETED)],
    once: GivenOnce,
) -> Envelope[Execution] | Response:
    """Ask a question. Zen routes it to the agent that it is about, unless one is named; the answer carries citations.

    An agent that does not know answers 200 with `answered` false; so does a question that no agent seems to fit, with
    the agents that were weighed as `candidates`. One that fails answers 502, a dead one 503, the time limit 504.
    Hanging up cancels the execution, and ends what the agent does for it.

    With `Accept: text/event-stream` the answer comes as it is made; its record is the same.
    """
    ask = partial(service.execute, db, zen, actor, asked)
    if wants_stream(request):
        return _Streamed(request, ask)
    return Envelope(data=await ask(partial(hung_up, request.receive), once=once))


class _Streamed(Response):
    """An execution on its way. Nothing is sent before it is written down, so what is refused has its own status."""

    media_type = MEDIA_TYPE

    def __init__(self, request: Request, ask: Callable[..., Awaitable[Execution]]) -> None:
        super().__init__()
        self._request = request
        self._ask = ask
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with heartbeats(send) as beating:

                async def tell(name: str, body: BaseModel) -> None:
                    if not self._begun:
                        await begin_stream(send)
                        self._begun = True
                        beating.set()
                    await send_part(send, sse(name, body.model_dump_json().encode()))

                execution = await self._ask(partial(hung_up, receive), tell)
            await send_part(send, sse("end", Envelope(data=execution).model_dump_json().encode()))
        except Exception as error:
            if not self._begun and not isinstance(error, PlatformError):
                raise
            answer = await problem_answer(self._request, error)
            if not self._begun:
                await answer(scope, receive, send)
                return
            await send_part(send, sse("problem", bytes(answer.body)))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


@router.get("/executions")
async def executions(
    session: Session,
    actor: Annotated[Actor, requires(Permission.EXECUTION_READ)],
    page: AskedPage,
) -> Envelope[list[ExecutionEntry]]:
    """The newest executions first: your own, or your organisation's if you may read all."""
    return Envelope(data=await service.executions(session, actor, page))


@router.get("/executions/{execution_id}")
async def execution(
    execution_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.EXECUTION_READ)]
) -> Envelope[Execution]:
    """One execution as it was answered; its texts are null once they were purged."""
    return Envelope(data=await service.execution(session, actor, execution_id))


@router.get("/executions/{execution_id}/model-calls")
async def model_calls(
    execution_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.EXECUTION_READ)]
) -> Envelope[list[CallEntry]]:
    """The calls of models that an execution made, as they were recorded, the first one first."""
    return Envelope(data=await service.model_calls(session, actor, execution_id))


@router.post("/executions/{execution_id}/cancel")
async def cancel_execution(
    execution_id: UUID,
    session: Session,
    actor: Annotated[Actor, requires(Permission.EXECUTION_RUN, EXECUTION_CANCELLED)],
) -> Envelope[Execution]:
    """End a running execution, and what its agent does for it: your own, or anybody's if you may cancel all.

    One that has ended otherwise answers 409.
    """
    return Envelope(data=await service.cancel_execution(session, actor, execution_id))


@router.get("/executions/{execution_id}/events", response_class=Response, responses=STREAMED)
async def execution_events(
    execution_id: UUID,
    actor: Annotated[Actor, requires(Permission.EXECUTION_READ)],
    db: Db,
    streams: OwnStreams,
    request: Request,
    last_event_id: LastEventId = 0,
) -> Response:
    """Follow an execution as it goes on, as server-sent events, until it has ended."""
    look = partial(service.execution_happening, db, actor, execution_id)
    return await streams.follow(request, execution_id, look, last_event_id)


@router.post("/executions/{execution_id}/feedback", status_code=201, dependencies=[done_once])
async def give_feedback(
    execution_id: UUID,
    given: FeedbackGiven,
    session: Session,
    actor: Annotated[Actor, requires(Permission.FEEDBACK_GIVE, FEEDBACK_GIVEN)],
) -> Envelope[Feedback]:
    """Rate an answer; your second rating replaces your first."""
    return Envelope(data=await service.give_feedback(session, actor, execution_id, given))
