"""Rows of registered servers, their tools, and how often an organisation's registry changed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base

_SCHEMA = "registry"


class ServerRow(Base):
    __tablename__ = "server"
    __table_args__ = {"schema": _SCHEMA}

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    version: Mapped[str]
    display_name: Mapped[str]
    description: Mapped[str]
    domain: Mapped[str]
    keywords: Mapped[list[str]] = mapped_column(ARRAY(Text))
    knowledge_terms: Mapped[list[str]] = mapped_column(ARRAY(Text))
    instance_id: Mapped[UUID | None]
    endpoint: Mapped[str]
    status: Mapped[str]
    registered_at: Mapped[datetime]


class ToolRow(Base):
    __tablename__ = "tool"
    __table_args__ = (
        ForeignKeyConstraint(
            ["org_id", "server", "environment"],
            ["registry.server.org_id", "registry.server.name", "registry.server.environment"],
            ondelete="CASCADE",
        ),
        {"schema": _SCHEMA},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    server: Mapped[str] = mapped_column(primary_key=True)
    environment: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    description: Mapped[str]
    input_schema: Mapped[str]
    output_schema: Mapped[str | None]


class RevisionRow(Base):
    """Counts the changes of one organisation's registry, so that what is made from it knows when it is stale."""

    __tablename__ = "revision"
    __table_args__ = {"schema": _SCHEMA}

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
