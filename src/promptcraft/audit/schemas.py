"""An event as it is read: §5.4 of the specification, with what is added to it."""

import re
from datetime import datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from promptcraft.kernel.pages import MOST

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")


def _said_in_full(given: object) -> object:
    """Neither seconds since 1970 nor a time of no zone, which pydantic would take as well."""
    if isinstance(given, str) and not _MOMENT.fullmatch(given):
        raise ValueError("say date, time and zone, as in 2026-01-05T09:00:00Z")
    return given


Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_said_in_full)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Source(_Part):
    component: str
    version: str
    host: str
    ip_address: str | None
    process: Annotated[str, Field(description="api, worker, beat, runtime or host")]


class Action(_Part):
    operation: str
    resource: str
    resource_id: str | None
    method: str | None
    endpoint: str | None


class Context(_Part):
    user_agent: str | None
    request_id: str
    correlation_id: str
    workflow_id: str | None
    agent_id: str | None


class Outcome(_Part):
    status: str
    status_code: int | None
    error_message: str | None
    response_time_ms: int


class Data(_Part):
    request_size_bytes: int | None
    response_size_bytes: int | None
    cost: Annotated[float | None, Field(description="USD")]
    sensitive_data_accessed: bool
    compliance_flags: tuple[str, ...]


class AuditEvent(_Part):
    """One event; personal fields are opened, and null where their key was destroyed."""

    event_id: UUID
    catalogue_id: Annotated[int, Field(description="permanent number of this kind of event")]
    timestamp: datetime
    user_id: UUID | None
    organization_id: UUID
    session_id: UUID | None
    event_type: str
    event_category: str
    severity: str
    source: Source
    action: Action
    context: Context
    outcome: Outcome
    data: Data
    details: Annotated[dict[str, Any], Field(description="values of this kind of event")]


class AuditQuery(BaseModel):
    """Which events; all conditions hold together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: Annotated[Moment | None, Field(description="not older than this: date, time and zone (RFC 3339)")] = None
    until: Annotated[Moment | None, Field(description="older than this: date, time and zone (RFC 3339)")] = None
    actor: Annotated[UUID | None, Field(description="id of the user who acted")] = None
    action: Annotated[str | None, Field(max_length=100, description="operation: agent.create, or agent.*")] = None
    request_id: Annotated[
        str | None, Field(max_length=128, pattern=r"^[!-~]+$", description="as X-Request-ID of an answer names it")
    ] = None
    # What the page is asked by; a query's model has to name everything that there is.
    limit: Annotated[int, Field(ge=1, le=MOST, description="How many entries at most")] = 50
    cursor: Annotated[str | None, Field(description="Where to go on: from the `Link` of the page before")] = None
