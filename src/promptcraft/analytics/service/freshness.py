"""How far behind the facts are."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.analytics.service.intake import CONSUMERS
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.outbox import OutboxRow

_TOPICS = [consumer.fact.topic for consumer in CONSUMERS]


async def waiting_time(session: AsyncSession, actor: Actor, now: datetime) -> timedelta:
    """The age of the oldest fact that is written and not taken in: up to so long ago the figures are whole.

    Zero where none waits, however long ago anything happened: an idle organisation's figures are fresh.
    """
    row = OutboxRow
    mine = (row.org_id == actor.org_id, row.delivered_at.is_(None), row.topic.in_(_TOPICS))
    oldest = await session.scalar(select(func.min(row.written_at)).where(*mine))
    return max(now - oldest, timedelta()) if oldest else timedelta()
