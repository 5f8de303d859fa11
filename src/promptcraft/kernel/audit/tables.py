"""The log's table: canonical text, and the columns that searches need."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import PrimaryKeyConstraint, Text, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from promptcraft.kernel.db import Base


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        return "xid8"


class AuditEventRow(Base):
    """Insert-only. Partitioned by retention class, then by month."""

    __tablename__ = "event"
    __table_args__ = (
        # The one index: searches are an organisation's and over time, and a request id (UUIDv7) holds its time.
        PrimaryKeyConstraint("org_id", "occurred_at", "event_id", "retention_class", name="event_pkey"),
        {"schema": "audit", "postgresql_partition_by": "LIST (retention_class)"},
    )

    org_id: Mapped[UUID]
    event_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    retention_class: Mapped[str] = mapped_column(Text)
    xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    catalogue_id: Mapped[int]
    user_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    request_id: Mapped[str] = mapped_column(Text)
    canonical: Mapped[str] = mapped_column(Text)
