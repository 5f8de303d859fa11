"""Rows of jobs and their steps: the ledger that the status API shows and that recovery reads."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base


class JobRow(Base):
    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_due", "run_after", postgresql_where="finished_at IS NULL"),
        Index("ix_job_org_id_kind", "org_id", "kind", "created_at"),
        {"schema": "kernel"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    user_name: Mapped[str] = mapped_column(Text)
    permissions: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str] = mapped_column(Text)
    correlation_id: Mapped[str] = mapped_column(Text)
    phase: Mapped[str] = mapped_column(Text)
    percentage: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    run_after: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None]
    fencing_token: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(Text)
    next_step: Mapped[str | None] = mapped_column(Text)
    warnings: Mapped[str] = mapped_column(Text, default="[]")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobStepRow(Base):
    __tablename__ = "job_step"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "job_id"], ["kernel.job.org_id", "kernel.job.id"]),
        {"schema": "kernel"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    position: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class StandingJobRow(Base):
    """Periodic work: one row each, run again `every` seconds after it ended."""

    __tablename__ = "standing_job"
    __table_args__ = ({"schema": "kernel"},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    run_after: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_until: Mapped[datetime | None]
    fencing_token: Mapped[int] = mapped_column(BigInteger, default=0)
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    last_run_at: Mapped[datetime | None]
