"""What shall run, and who runs it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base
from promptcraft.kernel.ids import new_id

_SCHEMA = "runtime"


class InstanceRow(Base):
    """A program that shall run. Above the blank line what was asked for, below what the host's runtime saw.

    `generation` grows with every change of what is asked for; `observed_generation` is the one that runs.
    """

    __tablename__ = "instance"
    __table_args__ = (
        UniqueConstraint("org_id", "name", "environment", "version"),
        Index("ix_instance_host", "host"),
        {"schema": _SCHEMA},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    version: Mapped[str]
    environment: Mapped[str]
    code: Mapped[str]
    python: Mapped[str]
    argv: Mapped[str]
    variables: Mapped[str]
    limits: Mapped[str]
    restart_policy: Mapped[str]
    trusted_template: Mapped[bool]
    desired: Mapped[str]
    generation: Mapped[int]
    created_at: Mapped[datetime]

    host: Mapped[str | None]
    observed: Mapped[str] = mapped_column(default="pending")
    observed_generation: Mapped[int] = mapped_column(default=0)
    socket: Mapped[str | None]
    pid: Mapped[int | None]
    restarts: Mapped[int] = mapped_column(default=0)
    exit_code: Mapped[int | None]
    last_error: Mapped[str | None]
    started_at: Mapped[datetime | None]
    healthy_at: Mapped[datetime | None]


class HostRow(Base):
    """A host that has, or had, a runtime; its lease says whether it has one now. Of no organisation."""

    __tablename__ = "host"
    __table_args__ = {"schema": _SCHEMA}

    name: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str]
    lease_owner: Mapped[UUID]
    lease_until: Mapped[datetime]
    started_at: Mapped[datetime]
    report: Mapped[str]
