"""Recording: an event joins the transaction of its change and is written as that transaction's last statement."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, insert
from sqlalchemy import event as database_events
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from promptcraft.kernel import clock, context
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.canonical import bytes_of_plain, decimal_text
from promptcraft.kernel.audit.catalogue.kernel import REQUEST_INVALID
from promptcraft.kernel.audit.event import Event, Outcome, events
from promptcraft.kernel.audit.sealer import sealer
from promptcraft.kernel.audit.tables import AuditEventRow
from promptcraft.kernel.db import Database, before_commit, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.telemetry import AUDIT_EVENTS

_MAX_TEXT = 2_000
# Made once: a statement with its rows in it would be compiled again for each event.
_INSERT = insert(cast(Table, AuditEventRow.__table__))
Value = str | int | bool | Decimal | UUID | datetime | None


async def record(
    session: AsyncSession,
    actor: Actor,
    event: Event,
    *,
    resource: UUID | str | None = None,
    agent: str | None = None,
    workflow_id: UUID | None = None,
    cost: Decimal | None = None,
    status_code: int | None = None,
    error: str | None = None,
    **values: Value,
) -> UUID:
    """Record `event` with the change that `session` makes; both commit or neither does.

    `resource` is what was acted on; `cost` is in USD; `status_code` is the HTTP status where it is not the one that
    the route declares; `values` are the event's own (those in `event.personal` are sealed). Returns the event's id.
    """
    event_id = new_id()
    pending: list[tuple[Event, Actor, UUID, dict[str, Any]]] = session.info.setdefault("audit_events", [])
    given = {
        "resource": resource, "agent": agent, "workflow_id": workflow_id, "cost": cost,
        "status_code": status_code, "error": error, "values": values,
    }  # fmt: skip
    pending.append((event, actor, event_id, given))
    before_commit(session, "audit", _write)
    return event_id


async def record_alone(db: Database, actor: Actor, event: Event, **given: Any) -> UUID:
    """Record an event that has no change of ours, in a transaction of its own; committed when this returns."""
    async with unit_of_work(db, actor) as session:
        return await record(session, actor, event, **given)


async def record_outcome(
    db: Database, actor: Actor, action: Event | None, outcome: Outcome, *, status_code: int, reason: str
) -> None:
    """Record what the catalogue lists for an action that ended early (denied, invalid, exception, time-out)."""
    declared = action or REQUEST_INVALID
    resource = next(iter(context.current().path_parameters.values()), None)
    async with unit_of_work(db, actor) as session:
        for event_id in declared.leaves(outcome):
            await record(
                session, actor, events()[event_id], resource=resource, status_code=status_code, error=reason,
                action=action.name if action else context.current().endpoint, reason=reason,
            )  # fmt: skip


async def _write(session: AsyncSession) -> None:
    rows = [_row(*pending) for pending in session.info["audit_events"]]
    # The rows of several events go to the server together.
    await session.execute(_INSERT, rows if len(rows) > 1 else rows[0])
    database_events.listen(session.sync_session, "after_commit", _count, once=True)


def _count(session: Session) -> None:
    for event, *_ in session.info["audit_events"]:
        AUDIT_EVENTS.labels(event.name).inc()


def _row(event: Event, actor: Actor, event_id: UUID, given: Mapping[str, Any]) -> dict[str, Any]:
    occurred_at = clock.now()
    document = _document(event, actor, event_id, occurred_at, given)
    return {
        "org_id": actor.org_id,
        "event_id": event_id,
        "occurred_at": occurred_at,
        "retention_class": event.retention,
        "catalogue_id": event.id,
        "user_id": actor.user_id,
        "session_id": actor.session_id,
        "request_id": context.current().request_id,
        "canonical": bytes_of_plain(document).decode(),
    }


def _document(
    event: Event, actor: Actor, event_id: UUID, occurred_at: datetime, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The §5.4 structure; `catalogue_id`, `source.process` and `details` are additive."""
    work = context.current()
    bound_to = f"{event_id}/"

    def sealed(name: str, text: str | None) -> dict[str, str] | None:
        if text is None:
            return None
        key_id, ciphertext = sealer().seal(actor.org_id, actor.user_id, text[:_MAX_TEXT], bound_to + name)
        return {"key_id": key_id, "sealed": ciphertext}

    def detail(name: str, value: Value) -> str | int | bool | UUID | dict[str, str] | None:
        plain = _plain(value)
        return sealed(name, str(plain)) if name in event.personal and plain is not None else plain

    cost: Decimal | None = given["cost"]
    return {
        "event_id": event_id,
        "catalogue_id": event.id,
        "timestamp": occurred_at.isoformat(timespec="microseconds"),
        "user_id": actor.user_id,
        "organization_id": actor.org_id,
        "session_id": actor.session_id,
        "event_type": event.type,
        "event_category": event.category,
        "severity": event.severity,
        "source": {
            "component": event.component,
            "version": context.platform_version(),
            "host": context.host_name(),
            "ip_address": sealed("ip_address", work.client_address),
            "process": work.process,
        },
        "action": {
            "operation": event.name,
            "resource": event.name.partition(".")[0],
            "resource_id": _plain(given["resource"]),
            "method": work.method,
            "endpoint": work.endpoint,
        },
        "context": {
            "user_agent": sealed("user_agent", work.user_agent),
            "request_id": work.request_id,
            "correlation_id": work.correlation_id,
            "workflow_id": given["workflow_id"],
            "agent_id": given["agent"],
        },
        "outcome": {
            "status": event.status,
            "status_code": given["status_code"] or work.declared_status,
            "error_message": _plain(given["error"]),
            "response_time_ms": work.elapsed_ms(),
        },
        "data": {
            "request_size_bytes": work.request_bytes,
            "response_size_bytes": None,
            "cost": None if cost is None else decimal_text(cost),
            "sensitive_data_accessed": event.sensitive,
            "compliance_flags": list(event.compliance_flags),
        },
        "details": {name: detail(name, value) for name, value in given["values"].items()},
    }


def _plain(value: object) -> str | int | bool | UUID | None:
    if value is None:
        return None
    match value:
        case str():
            # What came over the wire may hold lone surrogates, which have no UTF-8.
            return value[:_MAX_TEXT] if value.isascii() else value[:_MAX_TEXT].encode(errors="replace").decode()
        case Decimal():
            return decimal_text(value)
        case datetime():
            return value.isoformat(timespec="microseconds")
        case bool() | int() | UUID():
            return value
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical form")
