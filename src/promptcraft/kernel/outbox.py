"""The transactional outbox: a fact is written with its change and taken in by higher contexts after commit.

Each fact is consumed in one transaction together with its delivery mark, so a consumer's own rows hold it exactly once.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Index, Table, Text, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel import clock
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.db import Base, Database, Wakeup, system_unit_of_work, unit_of_work, wake_after_commit
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.telemetry import get_logger

RELAY = "outbox.relay"
_BATCH = 500
_KEEP_DELIVERED = timedelta(days=1)
_log = get_logger(__name__)


class Fact(BaseModel):
    """Something that happened, in words that outlive the row it happened to. `topic` names it for good."""

    model_config = ConfigDict(frozen=True)
    topic: ClassVar[str]


class OutboxRow(Base):
    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_undelivered", "org_id", "id", postgresql_where="delivered_at IS NULL"),
        {"schema": "kernel"},
    )

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    topic: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)


_INSERT = insert(cast(Table, OutboxRow.__table__))
# Takes in facts of one topic, in one organisation, in the transaction that marks them delivered.
Consume = Callable[[AsyncSession, Sequence[Fact]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who takes in which fact; registered by the composition root."""

    fact: type[Fact]
    consume: Consume


async def publish(session: AsyncSession, fact: Fact) -> None:
    """Write the fact with the change; its consumers see it once the transaction is committed."""
    org_id: UUID = session.info["org_id"]
    row = {"org_id": org_id, "topic": fact.topic, "payload": fact.model_dump_json(), "written_at": clock.now()}
    await session.execute(_INSERT, row)
    wake_after_commit(session, Wakeup("standing_job", RELAY))


async def relay(db: Database, consumers: Sequence[Consumer]) -> None:
    """Hand every waiting fact to its consumers, organisation by organisation, until none is due."""
    due = or_(OutboxRow.retry_at.is_(None), OutboxRow.retry_at <= func.now())
    while True:
        async with system_unit_of_work(db) as session:
            waiting = select(OutboxRow.org_id).distinct().where(OutboxRow.delivered_at.is_(None), due)
            organisations = (await session.scalars(waiting)).all()
        delivered = 0
        for org_id in organisations:
            delivered += await _relay_organisation(db, org_id, consumers)
        if not delivered:
            return


async def facts_waiting(session: AsyncSession) -> int:
    """How many facts of all organisations no consumer has taken in yet; asked as `system`."""
    return await session.scalar(select(func.count()).where(OutboxRow.delivered_at.is_(None))) or 0


async def forget_delivered(db: Database) -> None:
    """Delete facts that were delivered more than a day ago."""
    async with system_unit_of_work(db) as session:
        await session.execute(delete(OutboxRow).where(OutboxRow.delivered_at < clock.now() - _KEEP_DELIVERED))


async def _relay_organisation(db: Database, org_id: UUID, consumers: Sequence[Consumer]) -> int:
    due = or_(OutboxRow.retry_at.is_(None), OutboxRow.retry_at <= func.now())
    mine = OutboxRow.org_id == org_id
    async with unit_of_work(db, platform_actor(RELAY, org_id)) as session:
        rows = (
            await session.scalars(
                select(OutboxRow)
                .where(mine, OutboxRow.delivered_at.is_(None), due)
                .order_by(OutboxRow.id)
                .limit(_BATCH)
                .with_for_update(skip_locked=True)
            )
        ).all()
        for row in rows:
            await _deliver(session, row, consumers)
    return len(rows)


async def _deliver(session: AsyncSession, row: OutboxRow, consumers: Sequence[Consumer]) -> None:
    """Hand over one fact; a consumer's failure delays this fact alone, longer each time."""
    try:
        async with session.begin_nested():
            for consumer in consumers:
                if consumer.fact.topic == row.topic:
                    await consumer.consume(session, [consumer.fact.model_validate_json(row.payload)])
        outcome = {"delivered_at": clock.now(), "error": None}
    except Exception as failure:  # noqa: BLE001 - process edge: one fact nobody can take in must not hold up the others
        _log.exception("fact not taken in", extra={"fact": str(row.id), "topic": row.topic})
        delay = timedelta(seconds=min(3600, 2**row.attempts))
        outcome = {"attempts": row.attempts + 1, "retry_at": clock.now() + delay, "error": repr(failure)[:2000]}
    await session.execute(
        update(OutboxRow).where(OutboxRow.org_id == row.org_id, OutboxRow.id == row.id).values(**outcome)
    )
