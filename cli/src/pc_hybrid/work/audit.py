"""The audit log."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pc_hybrid.connection import connect
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import table
from pc_hybrid.work.figures import UNKNOWN, moment, short
from promptcraft_sdk.client import api

# Of an event's parts, which are open: these are in each.
_COLUMNS = (
    *("event_id", "catalogue_id", "timestamp", "user_id", "organization_id", "session_id"),
    *("event_type", "event_category", "severity", "source.component", "source.ip_address"),
    *("action.operation", "action.resource", "action.resource_id", "action.method", "action.endpoint"),
    *("context.user_agent", "context.request_id", "context.correlation_id"),
    *("outcome.status", "outcome.status_code", "outcome.error_message", "outcome.response_time_ms"),
    *("data.cost", "data.sensitive_data_accessed", "details"),
)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def list_events(
    terminal: Terminal,
    since: datetime | None,
    until: datetime | None,
    actor: str | None,
    action: str | None,
    request_id: str | None,
    limit: int | None,
) -> None:
    with connect() as client:
        events = client.send(
            api.audit_events(
                since=_aware(since),
                until=_aware(until),
                actor=actor,
                action=action,
                request_id=request_id,
                limit=limit,
            )
        )
    rows = [
        [
            moment(event.timestamp),
            short(event.user_id) if event.user_id else UNKNOWN,
            _field(event.action, "operation"),
            _resource(event.action),
            _field(event.outcome, "status"),
            _field(event.context, "request_id"),
        ]
        for event in events
    ]
    terminal.data(events, table(("TIME", "WHO", "ACTION", "ON", "OUTCOME", "REQUEST"), rows), columns=_COLUMNS)
    if not events:
        terminal.say("No such events.")


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def _resource(action: Mapping[str, Any]) -> str:
    """A name as it is, an id by its beginning; -o json has it whole."""
    value = _field(action, "resource_id")
    return short(value) if _ID.fullmatch(value) else value


def _field(part: Mapping[str, Any], key: str) -> str:
    value = part.get(key)
    return UNKNOWN if value is None else str(value)
