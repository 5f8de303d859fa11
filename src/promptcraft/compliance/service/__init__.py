"""Compliance's work."""

from promptcraft.compliance.service.departures import Departures
from promptcraft.compliance.service.offboarding import (
    close,
    drop_export,
    end_agents,
    ended,
    export,
    export_of,
    offboard,
    offboarding,
    quiet,
)

__all__ = [
    "Departures",
    "close",
    "drop_export",
    "end_agents",
    "ended",
    "export",
    "export_of",
    "offboard",
    "offboarding",
    "quiet",
]
