"""The audit log: who seals its personal fields, and how an organisation reads its own."""

from promptcraft.audit.clients import OrganisationSealer

__all__ = ["OrganisationSealer"]
