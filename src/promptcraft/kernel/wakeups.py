"""Wake-ups by Redis after commit. Losing one costs time, never work: sweeps find what is due."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from redis.asyncio import Redis as RedisClient
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from promptcraft.kernel.db import Wakeup
from promptcraft.kernel.tasks import end
from promptcraft.kernel.telemetry import get_logger

_log = get_logger(__name__)
_CHANNEL = "promptcraft:wake:"
_FEED = "promptcraft:feed:"
_FEED_LENGTH = 10_000
_WAIT_MS = 500
_ANSWER_SECONDS = 2.0
_SETTLED_SECONDS = 1.0
# A worker that looks for what is due finds all of it: sent for each of many changes, it would do little else.
_APART_SECONDS = 0.05


# redis-py's own annotations leave its commands partly unknown; here it is used for publish and subscribe alone.
Redis = Any


def redis_client(url: str) -> Redis:
    """A client for redis://, rediss:// or unix:// addresses; connects at the first command.

    One that is away is told within moments, as everybody who asks it can do without: a connection that died while it
    was idle is tried once more, and nothing else is.
    """
    client: Any = RedisClient
    return client.from_url(
        url,
        socket_connect_timeout=_ANSWER_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        health_check_interval=30,
    )


class SendsJobs(Protocol):
    def send(self, job: str) -> None:
        """Ask some worker to run this job (an id, or a standing job's name). Blocks on the network."""
        ...


class RedisNotifier:
    """Sends wake-ups without holding up who asked; the same one twice at the same moment is sent once."""

    def __init__(self, redis: Redis, queue: SendsJobs) -> None:
        self._redis = redis
        self._queue = queue
        self._waiting: set[Wakeup] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent_at: dict[str, float] = {}

    async def notify(self, wakeups: list[Wakeup]) -> None:
        for wakeup in wakeups:
            if wakeup not in self._waiting:
                self._waiting.add(wakeup)
                task = asyncio.create_task(self._send(wakeup))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait a moment for what is on its way: who stops the loop now would keep it from being sent."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_SETTLED_SECONDS)

    async def _send(self, wakeup: Wakeup) -> None:
        if wakeup.kind == "standing_job":
            due = self._sent_at.get(wakeup.target, 0.0) + _APART_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._sent_at[wakeup.target] = time.monotonic()
        self._waiting.discard(wakeup)
        try:
            if wakeup.kind in ("job", "standing_job"):
                await asyncio.to_thread(self._queue.send, wakeup.target)
            elif wakeup.kept:
                await self._redis.xadd(_FEED + wakeup.kind, {"target": wakeup.target}, maxlen=_FEED_LENGTH)
            else:
                await self._redis.publish(_CHANNEL + wakeup.kind, wakeup.target)
        except (RedisError, OSError) as failure:
            _log.warning("wake-up not sent; the sweep will find the work", extra={"error": repr(failure)})


async def feed_now(redis: Redis) -> str:
    """The present place in every feed. Raises RedisError, OSError."""
    seconds, microseconds = await redis.time()
    return f"{seconds * 1000 + microseconds // 1000}-0"


async def read_feed(redis: Redis, kind: str, place: str) -> tuple[str, list[str]]:
    """The targets kept after this place, and the place to go on from; waits half a second for the first.

    Raises RedisError, OSError.
    """
    answer = await redis.xread({_FEED + kind: place}, count=_FEED_LENGTH, block=_WAIT_MS)
    entries: list[Any] = answer[0][1] if answer else []
    last: str = entries[-1][0].decode() if entries else place
    return last, [fields[b"target"].decode() for _, fields in entries]


async def messages(redis: Redis, kind: str) -> AsyncIterator[str]:
    """The target of each wake-up of this kind; the first is "" and says that from now on none is missed.

    Raises RedisError, OSError.
    """
    async with redis.pubsub() as subscription:
        await subscription.subscribe(_CHANNEL + kind)
        async for message in subscription.listen():
            yield message["data"].decode() if message["type"] == "message" else ""


@asynccontextmanager
async def woken(redis: Redis, kind: str) -> AsyncGenerator[asyncio.Event]:
    """An event that is set at each wake-up of this kind, and at each reconnection, as one may have been lost."""
    event = asyncio.Event()
    task = asyncio.create_task(_listen(redis, kind, event))
    try:
        yield event
    finally:
        await end(task)


async def _listen(redis: Redis, kind: str, event: asyncio.Event) -> None:
    while True:
        try:
            async for _target in messages(redis, kind):
                event.set()
        except (RedisError, OSError):
            await asyncio.sleep(1)
