"""Rows of executions, their texts, conversations and feedback.

An execution's `created_at` is the time inside its id, so that one lookup by id touches one partition.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Index, Numeric, PrimaryKeyConstraint, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base
from promptcraft.runtime import Environment

_SCHEMA = "orchestrator"
_BY_DAY = {"schema": _SCHEMA, "postgresql_partition_by": "RANGE (created_at)"}


class ExecutionRow(Base):
    """Specification §6.2's columns and what §5.2 needs. `deadline` is when its time limit ends."""

    __tablename__ = "workflow_executions"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "created_at", "id", name="workflow_executions_pkey"),
        Index("ix_workflow_executions_org_id_user_id", "org_id", "user_id", "created_at"),
        Index("ix_workflow_executions_running", "deadline", postgresql_where="status = 'running'"),
        _BY_DAY,
    )

    org_id: Mapped[UUID]
    created_at: Mapped[datetime]
    id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    session_id: Mapped[UUID]
    status: Mapped[str]
    agent_id: Mapped[str | None]
    agent_version: Mapped[str | None]
    environment: Mapped[Environment | None] = mapped_column(Text)
    routing_score: Mapped[float | None]
    candidates: Mapped[str] = mapped_column(default="[]")
    answered: Mapped[bool] = mapped_column(default=False)
    processing_time_ms: Mapped[int | None]
    total_cost: Mapped[Decimal | None] = mapped_column(Numeric)
    tokens: Mapped[int | None] = mapped_column(BigInteger)
    steps: Mapped[str] = mapped_column(default="[]")
    steps_completed: Mapped[int] = mapped_column(default=0)
    security_issues_found: Mapped[int | None]
    test_success_rate: Mapped[float | None]
    error: Mapped[str | None]
    error_code: Mapped[str | None]
    trace_id: Mapped[str | None]
    deadline: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ExecutionTextRow(Base):
    """What was asked and answered, apart from the execution so that it can be purged before it."""

    __tablename__ = "execution_text"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "created_at", "execution_id", name="execution_text_pkey"),
        _BY_DAY,
    )

    org_id: Mapped[UUID]
    created_at: Mapped[datetime]
    execution_id: Mapped[UUID]
    prompt: Mapped[str]
    answer: Mapped[str | None]
    citations: Mapped[str] = mapped_column(default="[]")


class ConversationRow(Base):
    """A person's executions that follow up on each other; the agent that answered last is asked first."""

    __tablename__ = "conversation"
    __table_args__ = {"schema": _SCHEMA}

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None]
    started_at: Mapped[datetime]
    last_execution_id: Mapped[UUID | None]
    last_agent: Mapped[str | None]


class FeedbackRow(Base):
    __tablename__ = "feedback"
    __table_args__ = {"schema": _SCHEMA}

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    rating: Mapped[int]
    comment: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(server_default=func.now())
