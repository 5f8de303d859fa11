"""Figures, the audit log, health."""

from collections.abc import Sequence
from datetime import datetime

from promptcraft_sdk.client.api.making import adapter_of, get, given, list_of, probe
from promptcraft_sdk.client.schemas import (
    AuditEvent,
    Health,
    InsightsReport,
    Realtime,
)
from promptcraft_sdk.client.wire import Call, reader

# Of lists that grow for ever.
_A_PAGE = 50


def insights(
    *,
    time_range: str | None = None,
    metrics: Sequence[str] = (),
    granularity: str | None = None,
    agents: Sequence[str] = (),
    users: Sequence[str] = (),
    tz: str | None = None,
) -> Call[InsightsReport]:
    """§5.2's report; what is left out takes the platform's default."""
    query = {
        "time_range": time_range,
        "metrics": ",".join(metrics),
        "granularity": granularity,
        "agent_filter": ",".join(agents),
        "user_filter": ",".join(users),
        "tz": tz,
    }
    return Call("GET", "/api/v4/analytics/insights", reader(adapter_of(InsightsReport)), query=given(query))


def realtime() -> Call[Realtime]:
    return get("/api/v4/analytics/realtime", Realtime)


def audit_events(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str | None = None,
    action: str | None = None,
    request_id: str | None = None,
    limit: int | None = None,
    platform: bool = False,
) -> Call[list[AuditEvent]]:
    """The organisation's own events, the newest first; with `platform` those that belong to no organisation.

    `since` and `until` have a zone: without one they are refused.
    """
    query = {
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "actor": actor,
        "action": action,
        "request_id": request_id,
    }
    path = "/api/v4/platform/audit/events" if platform else "/api/v4/audit/events"
    return list_of(path, AuditEvent, limit or _A_PAGE, query=query)


def health() -> Call[Health]:
    """How the platform's parts are."""
    return probe("/health")


def live() -> Call[Health]:
    """Whether the process that answers is there at all."""
    return probe("/health/live")


def ready() -> Call[Health]:
    """Whether it can do its work; ApiError 503 where not."""
    return probe("/health/ready")


def metrics() -> Call[str]:
    """The metrics of the process that answers, in Prometheus' text format."""
    return Call("GET", "/metrics", bytes.decode, accept="text/plain", signed=False)
