"""Agents, their versions, and the knowledge that was uploaded for them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel.db import Base

_SCHEMA = "agents"


class AgentRow(Base):
    """`stage` is building, built, revising, deploying or deployed; how a deployed agent fares is runtime's to say."""

    __tablename__ = "agent"
    __table_args__ = (UniqueConstraint("org_id", "name", name="agent_org_id_name_key"), {"schema": _SCHEMA})

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    domain: Mapped[str]
    stage: Mapped[str]
    version: Mapped[int]
    order: Mapped[str]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class VersionRow(Base):
    """A version that was built. `tree_sha256` is of all its files, so that a changed one is known.

    Its index grows afterwards: `index_version` counts, `index_commit` is the newest commit that came of it, `index_job`
    the job that it came by. Of the `questions` that it holds its gate found `answered_right`. One that was `edited` is
    not of the built-in template alone, so it runs isolated or not at all.
    """

    __tablename__ = "version"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "agent_id"], ["agents.agent.org_id", "agents.agent.id"], ondelete="CASCADE"),
        {"schema": _SCHEMA},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    commit: Mapped[str]
    tree_sha256: Mapped[str]
    documents: Mapped[int]
    passages: Mapped[int]
    built_at: Mapped[datetime]
    index_version: Mapped[int] = mapped_column(server_default="1")
    index_commit: Mapped[str | None]
    index_job: Mapped[UUID | None]
    vectors: Mapped[int] = mapped_column(server_default="0")
    questions: Mapped[int] = mapped_column(server_default="0")
    answered_right: Mapped[int] = mapped_column(server_default="0")
    edited: Mapped[bool] = mapped_column(server_default="false")


class RefreshRow(Base):
    """When the directories that an agent's knowledge comes from are read again; no row where they never are."""

    __tablename__ = "refresh"
    __table_args__ = (
        ForeignKeyConstraint(["org_id", "agent_id"], ["agents.agent.org_id", "agents.agent.id"], ondelete="CASCADE"),
        Index("refresh_due_at", "due_at"),
        {"schema": _SCHEMA},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    agent_id: Mapped[UUID] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]


class UploadRow(Base):
    __tablename__ = "upload"
    __table_args__ = ({"schema": _SCHEMA},)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    documents: Mapped[int]
    bytes: Mapped[int]
    uploaded_by: Mapped[UUID | None]
    uploaded_at: Mapped[datetime]
