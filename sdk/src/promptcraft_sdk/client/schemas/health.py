"""The audit log and health."""

from datetime import datetime
from typing import Any
from uuid import UUID

from promptcraft_sdk.client.schemas.base import Answer


class AuditEvent(Answer):
    """One event in §5.4's structure."""

    event_id: UUID
    timestamp: datetime
    user_id: str | None = None
    action: dict[str, Any] = {}
    context: dict[str, Any] = {}
    outcome: dict[str, Any] = {}


class HealthOfPart(Answer):
    name: str
    status: str
    detail: str | None = None


class Health(Answer):
    """`status` is ok, or degraded when a part is not."""

    status: str
    version: str | None = None
    parts: tuple[HealthOfPart, ...] = ()
    warnings: tuple[str, ...] = ()
