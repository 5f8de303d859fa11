"""Rows of providers, of what organisations allow, and of each call. Lists and maps are JSON text."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Numeric, PrimaryKeyConstraint, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base
from promptcraft.kernel.ids import new_id

_SCHEMA = "gateway"


class ProviderRow(Base):
    """A provider of an organisation's own. Its key is sealed by the platform and never shown again."""

    __tablename__ = "provider"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        ForeignKeyConstraint(["org_id"], ["identity.organisation.org_id"]),
        {"schema": _SCHEMA},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    kind: Mapped[str]
    base_url: Mapped[str]
    api_version: Mapped[str | None]
    models: Mapped[str]
    priority: Mapped[int]
    enabled: Mapped[bool]
    sealed_key: Mapped[str]
    created_at: Mapped[datetime]
    key_changed_at: Mapped[datetime]


class PolicyRow(Base):
    __tablename__ = "policy"
    __table_args__ = (ForeignKeyConstraint(["org_id"], ["identity.organisation.org_id"]), {"schema": _SCHEMA})

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    policy: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime]


class ModelCallRow(Base):
    """One call. `created_at` is the time inside its id; partitioned by that month."""

    __tablename__ = "model_call"
    __table_args__ = (
        PrimaryKeyConstraint("org_id", "created_at", "id", name="model_call_pkey"),
        Index("ix_model_call_running", "org_id", "deadline", postgresql_where="status = 'running'"),
        Index("ix_model_call_execution", "org_id", "execution_id", postgresql_where="execution_id is not null"),
        {"schema": _SCHEMA, "postgresql_partition_by": "RANGE (created_at)"},
    )

    org_id: Mapped[UUID]
    created_at: Mapped[datetime]
    id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    agent: Mapped[str | None]
    execution_id: Mapped[UUID | None]
    model: Mapped[str]
    provider: Mapped[str | None]
    status: Mapped[str]
    streamed: Mapped[bool]
    attempts: Mapped[int]
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cached_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cost: Mapped[Decimal | None] = mapped_column(Numeric)
    first_byte_ms: Mapped[int | None]
    duration_ms: Mapped[int | None]
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    request_id: Mapped[str]
    deadline: Mapped[datetime]
    finished_at: Mapped[datetime | None]
