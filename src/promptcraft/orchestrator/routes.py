"""Asking, and looking at what came of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from promptcraft.gateway import CallEntry
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import Db, Envelope, Session, requires
from promptcraft.kernel.audit.catalogue.orchestrator import EXECUTION_COMPLETED, FEEDBACK_GIVEN
from promptcraft.kernel.permissions import Permission
from promptcraft.orchestrator import service
from promptcraft.orchestrator.schemas import Asked, Execution, ExecutionEntry, Feedback, FeedbackGiven

router = APIRouter(prefix="/api/v4", tags=["executions"])


async def _zen(request: Request) -> service.Zen:
    return request.app.state.zen


@router.post("/execute")
async def execute(
    asked: Asked,
    db: Db,
    zen: Annotated[service.Zen, Depends(_zen)],
    actor: Annotated[Actor, requires(Permission.EXECUTION_RUN, EXECUTION_COMPLETED)],
) -> Envelope[Execution]:
    """Ask a question. Zen routes it to the agent that it is about, unless one is named; the answer carries citations.

    An agent that does not know answers 200 with `answered` false; so does a question that no agent seems to fit, with
    the agents that were weighed as `candidates`. One that fails answers 502, a dead one 503, the time limit 504.
    """
    return Envelope(data=await service.execute(db, zen, actor, asked))


@router.get("/executions")
async def executions(
    session: Session,
    actor: Annotated[Actor, requires(Permission.EXECUTION_READ)],
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Envelope[list[ExecutionEntry]]:
    """The newest executions first: your own, or your organisation's if you may read all."""
    return Envelope(data=await service.executions(session, actor, limit))


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


@router.post("/executions/{execution_id}/feedback", status_code=201)
async def give_feedback(
    execution_id: UUID,
    given: FeedbackGiven,
    session: Session,
    actor: Annotated[Actor, requires(Permission.FEEDBACK_GIVE, FEEDBACK_GIVEN)],
) -> Envelope[Feedback]:
    """Rate an answer; your second rating replaces your first."""
    return Envelope(data=await service.give_feedback(session, actor, execution_id, given))
