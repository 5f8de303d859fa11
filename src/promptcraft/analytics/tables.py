"""Facts as analytics keeps them: what other contexts told it, in a form made for counting."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Index, Numeric, PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base

_SCHEMA = "analytics"


class ExecutionFactRow(Base):
    """One finished execution. Partitioned by the month of `created_at`."""

    __tablename__ = "execution_fact"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "created_at", "execution_id", name="execution_fact_pkey"),
        Index("ix_execution_fact_org_id_finished_at", "org_id", "finished_at"),
        {"schema": _SCHEMA, "postgresql_partition_by": "RANGE (created_at)"},
    )

    org_id: Mapped[UUID]
    created_at: Mapped[datetime]
    execution_id: Mapped[UUID]
    finished_at: Mapped[datetime]
    user_id: Mapped[UUID | None]
    agent: Mapped[str | None]
    status: Mapped[str]
    response_time_ms: Mapped[float | None]
    model_cost: Mapped[Decimal] = mapped_column(Numeric)


class ExecutionRatingRow(Base):
    """A person's latest rating of an execution. It may be here before the execution is."""

    __tablename__ = "execution_rating"
    __table_args__ = {"schema": _SCHEMA}

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    rating: Mapped[int]
    rated_at: Mapped[datetime]


class RuntimeUsageRow(Base):
    """What one agent's process used in the time that ended at `ended_at`. Partitioned by that month."""

    __tablename__ = "runtime_usage"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "ended_at", "instance_id", name="runtime_usage_pkey"),
        {"schema": _SCHEMA, "postgresql_partition_by": "RANGE (ended_at)"},
    )

    org_id: Mapped[UUID]
    ended_at: Mapped[datetime]
    instance_id: Mapped[UUID]
    agent: Mapped[str]
    cpu_seconds: Mapped[Decimal] = mapped_column(Numeric)
    gib_seconds: Mapped[Decimal] = mapped_column(Numeric)


class ModelCallFactRow(Base):
    """One model call, for an execution or by a person directly. Partitioned by the month of `created_at`."""

    __tablename__ = "model_call_fact"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "created_at", "call_id", name="model_call_fact_pkey"),
        {"schema": _SCHEMA, "postgresql_partition_by": "RANGE (created_at)"},
    )

    org_id: Mapped[UUID]
    created_at: Mapped[datetime]
    call_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    agent: Mapped[str | None]
    execution_id: Mapped[UUID | None]
    model: Mapped[str]
    status: Mapped[str]
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cost: Mapped[Decimal | None] = mapped_column(Numeric)


class AgentEvaluationRow(Base):
    """What an agent's last gate found: so many of its held questions were answered right."""

    __tablename__ = "agent_evaluation"
    __table_args__ = {"schema": _SCHEMA}

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(primary_key=True)
    questions: Mapped[int]
    answered_right: Mapped[int]
    evaluated_at: Mapped[datetime]
