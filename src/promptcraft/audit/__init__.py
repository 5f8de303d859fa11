"""The audit log: who seals its personal fields, and how an organisation reads its own."""

from promptcraft.audit.clients import OrganisationSealer
from promptcraft.audit.schemas import AuditEvent, AuditQuery
from promptcraft.audit.service import all_events, read_events

__all__ = ["AuditEvent", "AuditQuery", "OrganisationSealer", "all_events", "read_events"]
