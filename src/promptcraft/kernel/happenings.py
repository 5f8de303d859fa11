"""Long work as those see it who follow it: what of it is newest, and hearing of it when that changes.

The rows of the work are the truth. A wake-up only spares a follower the wait until the next look at them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.db import Wakeup, wake_after_commit
from promptcraft.kernel.tasks import end
from promptcraft.kernel.wakeups import Redis, messages

_KIND = "progress"
# How long a change may stay unseen: with Redis, where a wake-up can be lost, and without.
_LOOK_SECONDS, _LOOK_ALONE_SECONDS = 2.0, 0.5
_AWAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Happening:
    """How far some work is, as its status route tells it.

    `id` counts what has happened to it, from its rows alone, so that any process gives the same one.
    """

    id: int
    body: BaseModel
    ended: bool


def tell_followers(session: AsyncSession, work: object) -> None:
    """Have those who follow the work of this id look at it once the session's transaction is committed."""
    wake_after_commit(session, Wakeup(_KIND, str(work)))


class Followers:
    """One process's ears for changes of work, from `start` to `close`; where nobody starts it, followers just look."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._listening: asyncio.Task[None] | None = None
        self._heard = False
        self._events: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def start(self) -> None:
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        listening, self._listening, self._heard = self._listening, None, False
        if listening is not None:
            await end(listening)

    @property
    def look_seconds(self) -> float:
        """After how long a follower who heard nothing has to look."""
        return _LOOK_SECONDS if self._heard else _LOOK_ALONE_SECONDS

    @contextmanager
    def hearing(self, work: object) -> Generator[asyncio.Event]:
        """An event that is set when the work of this id may have changed; who waits for it clears it first."""
        event = asyncio.Event()
        self._events[str(work)].add(event)
        try:
            yield event
        finally:
            self._events[str(work)].discard(event)
            if not self._events[str(work)]:
                del self._events[str(work)]

    async def _listen(self) -> None:
        # Leaving a subscription can fail, and its failure then stands in the place of the cancellation.
        while self._listening is not None:
            try:
                async for target in messages(self._redis, _KIND):
                    self._heard = True
                    for event in self._events.get(target, ()):
                        event.set()
            except (RedisError, OSError):
                self._heard = False
                await asyncio.sleep(_AWAY_SECONDS)


async def until_look(event: asyncio.Event, seconds: float) -> None:
    """Wait for a change, and no longer than this."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
