"""Compliance: what an organisation is owed when it leaves."""

from promptcraft.compliance.schemas import Offboarding
from promptcraft.compliance.service import Departures

__all__ = ["Departures", "Offboarding"]
