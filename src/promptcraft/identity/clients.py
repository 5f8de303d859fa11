"""Where login attempts are counted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from promptcraft.kernel.wakeups import Redis

_PREFIX = "promptcraft:login:"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How many there were in the present window, this one included, and how long the window still lasts."""

    count: int
    remaining: timedelta


class AttemptCounter(Protocol):
    """Counts attempts by key in windows that begin with the first one."""

    async def hit(self, key: bytes, window: timedelta) -> Attempts:
        """Count one more attempt, before it is made: attempts at the same moment cannot slip through together."""
        ...

    async def forgive(self, key: bytes) -> None:
        """Count one attempt less: it succeeded."""
        ...

    async def clear(self, key: bytes) -> None:
        """Forget the attempts."""
        ...


class RedisCounter:
    """Raises redis.exceptions.RedisError or OSError where Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def hit(self, key: bytes, window: timedelta) -> Attempts:
        name = _PREFIX + key.hex()
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(name)
            pipeline.pexpire(name, int(window.total_seconds() * 1000), nx=True)
            pipeline.pttl(name)
            count, _, remaining = await pipeline.execute()
        return Attempts(count, timedelta(milliseconds=max(remaining, 0)))

    async def forgive(self, key: bytes) -> None:
        # A window that ended in between leaves a counter below one and without an end.
        if await self._redis.decr(_PREFIX + key.hex()) < 1:
            await self.clear(key)

    async def clear(self, key: bytes) -> None:
        await self._redis.delete(_PREFIX + key.hex())
