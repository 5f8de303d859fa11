"""An organisation that leaves, and what it takes along."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from promptcraft.kernel.jobs import JobState, StepView


class OffboardingRequest(BaseModel):
    """`slug` is the short name of the organisation, typed again: a wrong id must not cost another one everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9-]*$", examples=["acme"])]


class Departure(BaseModel):
    """What the job of an offboarding is given."""

    KIND: ClassVar[str] = "compliance.offboard"

    model_config = ConfigDict(frozen=True)

    slug: str
    name: str


class Export(BaseModel):
    """A zip archive with a manifest of the SHA-256 of each of its files."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    bytes: int
    files: int
    written_at: datetime


class Offboarding(BaseModel):
    """How far an offboarding is. `export` may be fetched from when it is there on."""

    model_config = ConfigDict(frozen=True)

    offboarding_id: UUID
    organization_id: UUID
    slug: str
    status: JobState
    phase: str
    steps: tuple[StepView, ...]
    export: Export | None
    error: str | None
    next_step: str | None
    created_at: datetime
    closed_at: datetime | None
