"""Reading the log."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, TypeGuard
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.audit.schemas import AuditEvent, AuditQuery
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit import AuditEventRow, Sealed, events, sealer
from promptcraft.kernel.ids import time_of
from promptcraft.kernel.pages import Page
from promptcraft.kernel.telemetry import get_logger

_log = get_logger(__name__)
# How far the clocks of two hosts may be apart.
_CLOCKS_APART = timedelta(minutes=1)
_PIECE = 500
_CHANGED = "[changed after it was written]"


async def read_events(session: AsyncSession, actor: Actor, query: AuditQuery, page: Page) -> list[AuditEvent]:
    """Give the events of the actor's organisation that the query asks for, the newest first."""
    rows = select(AuditEventRow.canonical).where(AuditEventRow.org_id == actor.org_id, *_conditions(query))
    by = AuditEventRow.occurred_at, AuditEventRow.event_id
    found: list[str] = await page.of(session, rows, *by, newest_first=True)
    return [_opened(actor.org_id, orjson.loads(canonical)) for canonical in found]


async def all_events(session: AsyncSession, actor: Actor) -> AsyncIterator[AuditEvent]:
    """Every event of the actor's organisation, the oldest first, read piece by piece."""
    rows = select(AuditEventRow.canonical).where(AuditEventRow.org_id == actor.org_id)
    oldest = rows.order_by(AuditEventRow.occurred_at, AuditEventRow.event_id)
    async for canonical in await session.stream_scalars(oldest.execution_options(yield_per=_PIECE)):
        yield _opened(actor.org_id, orjson.loads(canonical))


def _conditions(query: AuditQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.since is not None:
        conditions.append(AuditEventRow.occurred_at >= query.since)
    if query.until is not None:
        conditions.append(AuditEventRow.occurred_at < query.until)
    if query.actor is not None:
        conditions.append(AuditEventRow.user_id == query.actor)
    if query.request_id is not None:
        conditions.append(AuditEventRow.request_id == query.request_id)
        if (began := _time_of(query.request_id)) is not None:
            # The log's index is by time, and a request's events are not older than it is.
            conditions.append(AuditEventRow.occurred_at >= began - _CLOCKS_APART)
    if query.action is not None:
        known = [event.id for event in events().values() if fnmatchcase(event.name, query.action)]
        conditions.append(AuditEventRow.catalogue_id.in_(known))
    return conditions


def _time_of(request_id: str) -> datetime | None:
    try:
        return time_of(UUID(request_id))
    except ValueError:  # background work names itself by a word
        return None


def _opened(org_id: UUID, document: dict[str, Any]) -> AuditEvent:
    event_id: str = document["event_id"]
    for part in (document["source"], document["context"], document["details"]):
        for name, value in part.items():
            if _is_sealed(value):
                part[name] = _open(org_id, value, f"{event_id}/{name}")
    return AuditEvent.model_validate(document)


def _is_sealed(value: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and value.keys() == {"key_id", "sealed"}


def _open(org_id: UUID, value: dict[str, str], context: str) -> str | None:
    try:
        return sealer().open(org_id, Sealed(value["key_id"], value["sealed"]), context)
    except ValueError:
        _log.error("a sealed field of the audit log was changed", extra={"field": context})
        return _CHANGED
