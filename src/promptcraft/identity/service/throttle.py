"""How often somebody may try to sign in: counted in Redis, and in the database while Redis is away."""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from redis.exceptions import RedisError
from sqlalchemy import case, delete, update
from sqlalchemy.dialects.postgresql import insert

from promptcraft.identity.clients import AttemptCounter, Attempts
from promptcraft.identity.service.digests import digest
from promptcraft.identity.tables import LoginAttemptRow
from promptcraft.kernel import clock
from promptcraft.kernel.db import Database, system_unit_of_work
from promptcraft.kernel.telemetry import get_logger

_log = get_logger(__name__)
T = TypeVar("T")
_WINDOW = timedelta(minutes=15)
_ASK_AGAIN_SECONDS = 5.0
# One address guessing at one account; one address trying many accounts; many addresses trying one account.
ACCOUNT_AND_ADDRESS_LIMIT = 5
ADDRESS_LIMIT = 50
ACCOUNT_LIMIT = 100


class DatabaseCounter:
    """Counts in the database, which every instance shares."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def hit(self, key: bytes, window: timedelta) -> Attempts:
        now = clock.now()
        over = LoginAttemptRow.expires_at <= now
        again = insert(LoginAttemptRow).values(key=key, count=1, expires_at=now + window)
        statement = again.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": case((over, 1), else_=LoginAttemptRow.count + 1),
                "expires_at": case((over, now + window), else_=LoginAttemptRow.expires_at),
            },
        ).returning(LoginAttemptRow.count, LoginAttemptRow.expires_at)
        async with system_unit_of_work(self._db) as session:
            count, expires_at = (await session.execute(statement)).one()
            await session.execute(delete(LoginAttemptRow).where(LoginAttemptRow.expires_at < now - window))
        return Attempts(count, expires_at - now)

    async def forgive(self, key: bytes) -> None:
        fewer = update(LoginAttemptRow).where(LoginAttemptRow.key == key).values(count=LoginAttemptRow.count - 1)
        async with system_unit_of_work(self._db) as session:
            await session.execute(fewer)

    async def clear(self, key: bytes) -> None:
        async with system_unit_of_work(self._db) as session:
            await session.execute(delete(LoginAttemptRow).where(LoginAttemptRow.key == key))


class FallbackCounter:
    """Redis first; a login is throttled also while Redis is away, and is not held up by asking it each time."""

    def __init__(self, first: AttemptCounter, second: AttemptCounter) -> None:
        self._first = first
        self._second = second
        self._away_until = 0.0

    async def hit(self, key: bytes, window: timedelta) -> Attempts:
        return await self._count(lambda counter: counter.hit(key, window))

    async def forgive(self, key: bytes) -> None:
        await self._count(lambda counter: counter.forgive(key))

    async def clear(self, key: bytes) -> None:
        await self._count(lambda counter: counter.clear(key))

    async def _count(self, how: Callable[[AttemptCounter], Awaitable[T]]) -> T:
        if time.monotonic() >= self._away_until:
            try:
                return await how(self._first)
            except (RedisError, OSError) as failure:
                self._away_until = time.monotonic() + _ASK_AGAIN_SECONDS
                _log.warning("counting login attempts in the database", extra={"error": repr(failure)})
        return await how(self._second)


async def attempt(counter: AttemptCounter, username: str, address: str) -> timedelta | None:
    """Count an attempt; what is returned is how long to wait where it was one too many."""
    both, wider = _keys(username, address)
    limits = (ACCOUNT_AND_ADDRESS_LIMIT, ADDRESS_LIMIT, ACCOUNT_LIMIT)
    for key, limit in zip((both, *wider), limits, strict=True):
        attempts = await counter.hit(key, _WINDOW)
        if attempts.count > limit:
            return attempts.remaining
    return None


async def succeeded(counter: AttemptCounter, username: str, address: str) -> None:
    """Forget the attempts of this account from this address; the wider counts stay, but for this attempt."""
    both, wider = _keys(username, address)
    await counter.clear(both)
    for key in wider:
        await counter.forgive(key)


def _keys(username: str, address: str) -> tuple[bytes, tuple[bytes, bytes]]:
    return _key("both", username, address), (_key("address", address), _key("account", username))


def _key(*parts: str) -> bytes:
    # Hashed: counters must not tell who tried to sign in, and a name may be of any length.
    return digest("\0".join(parts))
