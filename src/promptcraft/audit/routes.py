"""The log of an organisation, and the platform's own."""

from typing import Annotated

from fastapi import APIRouter, Query

from promptcraft.audit import service
from promptcraft.audit.schemas import AuditEvent, AuditQuery
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.api import AskedPage, Db, Envelope, Session, requires
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.permissions import Permission

router = APIRouter(prefix="/api/v4", tags=["audit"])


@router.get("/audit/events")
async def events(
    query: Annotated[AuditQuery, Query()],
    session: Session,
    actor: Annotated[Actor, requires(Permission.AUDIT_READ)],
    page: AskedPage,
) -> Envelope[list[AuditEvent]]:
    """Your organisation's events, the newest first."""
    return Envelope(data=await service.read_events(session, actor, query, page))


@router.get("/platform/audit/events")
async def platform_events(
    query: Annotated[AuditQuery, Query()],
    db: Db,
    actor: Annotated[Actor, requires(Permission.PLATFORM_AUDIT_READ)],
    page: AskedPage,
) -> Envelope[list[AuditEvent]]:
    """The events that belong to no organisation, such as logins of names that nobody has."""
    platform = platform_actor(actor.request_id)
    async with unit_of_work(db, platform) as session:
        return Envelope(data=await service.read_events(session, platform, query, page))
