"""What must not be let in any more, known to every process within two seconds.

The table is the truth: each process reads what is new in it every second. The feed in Redis is faster, and goes on
while the database is away. A process that has heard from neither for two seconds asks the database for every request,
and so lets nobody in while that does not answer.
"""

import asyncio
import time
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.schemas import RevocationKind
from promptcraft.identity.service.seen import SeenTokens
from promptcraft.identity.tables import RevocationRow
from promptcraft.kernel.db import Database, Wakeup, system_unit_of_work, wake_after_commit
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.tasks import end
from promptcraft.kernel.telemetry import get_logger
from promptcraft.kernel.wakeups import Redis, feed_now, read_feed

_FEED = "revocation"
_FRESH_SECONDS = 2.0
_LOOK_SECONDS = 1.0
# A row is seen when its transaction commits, which may be a while after its time.
_OVERLAP = timedelta(seconds=30)
# Far longer than an access token lasts.
_KEPT = timedelta(hours=1)
_log = get_logger(__name__)


async def revoke(session: AsyncSession, org_id: UUID, kind: RevocationKind, subject: UUID) -> None:
    """Have every process forget what it knows of this token, session, key or user, once the change is committed."""
    session.add(RevocationRow(org_id=org_id, kind=kind, subject=subject))
    wake_after_commit(session, Wakeup(_FEED, f"{kind} {subject}", kept=True))


async def forget_revocations(db: Database) -> None:
    """Delete what no token lasts long enough for."""
    old = delete(RevocationRow).where(RevocationRow.created_at < func.clock_timestamp() - _KEPT)
    async with system_unit_of_work(db) as session:
        await session.execute(old)


class Revocations:
    """Hears of revocations for one process, from `start` to `close`."""

    def __init__(self, db: Database, redis: Redis, seen: SeenTokens) -> None:
        self._db = db
        self._redis = redis
        self._seen = seen
        self._heard_at = -_FRESH_SECONDS
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def fresh(self) -> bool:
        """Whether what was seen may be relied upon."""
        return time.monotonic() - self._heard_at < _FRESH_SECONDS

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._look())]

    async def close(self) -> None:
        await end(*self._tasks)

    async def _hear(self) -> None:
        place: str | None = None
        while True:
            began = time.monotonic()
            try:
                if place is None:
                    place = await feed_now(self._redis)
                place, targets = await read_feed(self._redis, _FEED, place)
            except (RedisError, OSError):
                # What was published meanwhile may be gone with Redis' memory; the table has it.
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            for target in targets:
                kind, _, subject = target.partition(" ")
                with suppress(ValueError):
                    self._seen.forget(kind, UUID(subject))
            self._heard(began)

    async def _look(self) -> None:
        since = None
        while True:
            began = time.monotonic()
            try:
                since = await self._look_once(since)
                self._heard(began)
            except Unavailable as problem:
                _log.warning("revocations cannot be read from the database", extra={"error": problem.detail})
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look_once(self, since: datetime | None) -> datetime:
        """Forget what was revoked since then; gives from when on the next look has to. At first nothing is known."""
        async with system_unit_of_work(self._db) as session:
            now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
            new = select(RevocationRow.kind, RevocationRow.subject).where(RevocationRow.created_at > (since or now))
            found = (await session.execute(new)).all()
        for kind, subject in found:
            self._seen.forget(kind, subject)
        return now - _OVERLAP

    def _heard(self, began: float) -> None:
        self._heard_at = max(self._heard_at, began)
