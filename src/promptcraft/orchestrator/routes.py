"""Asking, and looking at what came of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

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
    return Envelope(data=await service.execute(db, zen, actor, asked))


@router.get("/executions")
async def executions(
    session: Session,
    actor: Annotated[Actor, requires(Permission.EXECUTION_READ)],
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Envelope[list[ExecutionEntry]]:
    return Envelope(data=await service.executions(session, actor, limit))


@router.get("/executions/{execution_id}")
async def execution(
    execution_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.EXECUTION_READ)]
) -> Envelope[Execution]:
    return Envelope(data=await service.execution(session, actor, execution_id))


@router.post("/executions/{execution_id}/feedback", status_code=201)
async def give_feedback(
    execution_id: UUID,
    given: FeedbackGiven,
    session: Session,
    actor: Annotated[Actor, requires(Permission.FEEDBACK_GIVE, FEEDBACK_GIVEN)],
) -> Envelope[Feedback]:
    return Envelope(data=await service.give_feedback(session, actor, execution_id, given))
