"""Where requests are counted: in Redis for all processes together, in one process while Redis is away."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from promptcraft.kernel.wakeups import Redis

_MOST_KEYS = 50_000
# Windows begin with the first request in them. One round trip for all counters; ARGV: a window's length, and how many
# more there are of each.
_HIT = """
local found = {}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCRBY', key, ARGV[i + 1])
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    left = tonumber(ARGV[1])
  end
  found[2 * i - 1] = count
  found[2 * i] = left
end
return found
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many there were in the present window, these included, and for how many seconds it still lasts."""

    count: int
    seconds: float


class Counter(Protocol):
    async def hit(self, keys: Sequence[str], window: float, more: Sequence[int] = ()) -> list[Counted]:
        """Count one more of each, or as many as `more` says; `window` in seconds."""
        ...


class RedisCounter:
    """Raises redis.exceptions.RedisError or OSError where Redis is away. All keys of one call lie in one slot."""

    def __init__(self, redis: Redis) -> None:
        self._script: Any = redis.register_script(_HIT)

    async def hit(self, keys: Sequence[str], window: float, more: Sequence[int] = ()) -> list[Counted]:
        arguments = [int(window * 1000), *(more or [1] * len(keys))]
        found: list[int] = await self._script(keys=list(keys), args=arguments)
        return [Counted(count, left / 1000) for count, left in zip(found[::2], found[1::2], strict=True)]


@dataclass(slots=True)
class LocalCounter:
    """Counts what this process sees. The oldest windows are given up before memory is."""

    _windows: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    async def hit(self, keys: Sequence[str], window: float, more: Sequence[int] = ()) -> list[Counted]:
        now = time.monotonic()
        return [self._one(key, number, window, now) for key, number in zip(keys, more or [1] * len(keys), strict=True)]

    def _one(self, key: str, more: int, window: float, now: float) -> Counted:
        count, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            self._windows.pop(key, None)
            count, ends = 0, now + window
            while len(self._windows) >= _MOST_KEYS:
                del self._windows[next(iter(self._windows))]
        self._windows[key] = (count + more, ends)
        return Counted(count + more, ends - now)
