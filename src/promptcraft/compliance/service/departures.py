"""What offboarding works with, and where exports lie."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from promptcraft.agents import Factory
from promptcraft.kernel.db import Database


@dataclass(frozen=True, slots=True)
class Departures:
    """Bound to one process's connections; exports lie below its data directory."""

    db: Database
    factory: Factory

    def export(self, org_id: UUID, job_id: UUID) -> Path:
        return self._place(org_id) / f"{job_id}.zip"

    def room(self, org_id: UUID, job_id: UUID) -> Path:
        """Where the files of an export are written before they are packed."""
        return self._place(org_id) / f"{job_id}.files"

    def _place(self, org_id: UUID) -> Path:
        return self.factory.places.data / "exports" / str(org_id)
