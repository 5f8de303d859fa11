"""How many requests somebody may send in a minute.

Far from a limit, requests are counted in the process and told to Redis a moment later, many at once: asking it before
each one would cost more than most of what the platform adds to a call. Near a limit each is counted before it is
let in.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby

from redis.exceptions import RedisError

from promptcraft.kernel import audit
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit.catalogue.quotas import REQUESTS_LIMITED
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database
from promptcraft.kernel.telemetry import get_logger
from promptcraft.quotas.clients import Counted, Counter, LocalCounter, RedisCounter
from promptcraft.quotas.errors import RequestsLimited
from promptcraft.settings import QuotasSettings

_log = get_logger(__name__)
_WINDOW = 60.0
# Redis answers within a millisecond; one that does not is left alone for a while.
_PATIENCE, _LEFT_ALONE = 0.25, 5.0
# A limit is far while half of it and so many are left. Of a hundredth of it nobody tells later than at once, so fifty
# processes that are far from it cannot go over it together.
_PLENTY, _SHARE = 200, 100
# How long counts are kept back, and how old what is known of the others' may be.
_TELL_SECONDS, _KNOWN_SECONDS = 0.1, 1.0
_MOST_WINDOWS = 50_000
_PREFIX = "promptcraft:rate:"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that a request counts towards: `name` in the headers, `key` where it is counted."""

    name: str
    quota: int
    key: str


_Found = list[tuple[Limit, Counted]]


@dataclass(frozen=True, slots=True)
class _Window:
    """A window as all processes' counts were known at a moment."""

    count: int
    ends: float
    known_at: float


@dataclass(slots=True)
class RequestLimits:
    """The limits of one process. Callers with credentials count as user, organisation and key; others by address."""

    db: Database
    settings: QuotasSettings
    shared: Counter
    local: Counter = field(default_factory=LocalCounter)
    _alone_until: float = 0.0
    _windows: dict[str, _Window] = field(default_factory=dict[str, _Window])
    # What this process counted and did not tell the others yet.
    _untold: dict[str, int] = field(default_factory=dict[str, int])
    _telling: asyncio.Task[None] | None = None

    async def count(self, actor: Actor, api_key: str | None) -> None:
        """Count a request of somebody. Raises RequestsLimited."""
        slot = f"{_PREFIX}{{{actor.org_id}}}"  # in braces: what a cluster keeps together
        limits = [
            Limit("user", self.settings.rate_limit_user, f"{slot}:user:{actor.user_id}"),
            Limit("organization", self.settings.rate_limit_organisation, f"{slot}:organization"),
        ]
        if api_key is not None:
            digest = sha256(api_key.encode()).hexdigest()[:32]
            limits.append(Limit("key", self.settings.rate_limit_key, f"{slot}:key:{digest}"))
        await self._count(actor, limits)

    async def count_stranger(self, address: str | None) -> None:
        """Count a request of somebody who showed no credentials, or bad ones. Raises RequestsLimited."""
        key = f"{_PREFIX}address:{address or 'unknown'}"
        limits = [Limit("address", self.settings.rate_limit_address, key)]
        await self._count(platform_actor(current().request_id), limits)

    async def _count(self, actor: Actor, limits: Sequence[Limit]) -> None:
        if not self.settings.enable_api_rate_limiting:
            return
        found = self._far(limits) or list(zip(limits, await self._hit([limit.key for limit in limits]), strict=True))
        _tell(found)
        over = [(limit, counted) for limit, counted in found if counted.count > limit.quota]
        for limit, counted in over:
            if counted.count == limit.quota + 1:
                whose = limit.name if limit.name == "address" else f"{limit.name} {limit.key.rpartition(':')[2]}"
                await audit.record_alone(
                    self.db, actor, REQUESTS_LIMITED, resource=whose, status_code=429, limit=limit.quota
                )
        if over:
            limit, counted = max(over, key=lambda one: one[1].seconds)
            detail = f"More than {limit.quota:,} requests a minute of one {limit.name}."
            raise RequestsLimited(detail, retry_after_seconds=math.ceil(counted.seconds))

    def _far(self, limits: Sequence[Limit]) -> _Found:
        """Count where no limit is near; nothing is counted and found otherwise."""
        now = time.monotonic()
        found: _Found = []
        for limit in limits:
            window, untold = self._windows.get(limit.key), self._untold.get(limit.key, 0)
            if window is None or now >= window.ends or now - window.known_at >= _KNOWN_SECONDS:
                return []
            count = window.count + untold + 1
            if limit.quota - count < max(limit.quota // 2, _PLENTY) or untold >= limit.quota // _SHARE:
                return []
            found.append((limit, Counted(count, window.ends - now)))
        for limit in limits:
            self._untold[limit.key] = self._untold.get(limit.key, 0) + 1
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_later())
        return found

    async def _tell_later(self) -> None:
        """Tell Redis what was counted here, until all is told. A window that has ended is over for its counts, too."""
        try:
            while self._untold:
                await asyncio.sleep(_TELL_SECONDS)
                now = time.monotonic()
                for key in [key for key in self._untold if key not in self._windows or self._windows[key].ends <= now]:
                    del self._untold[key]
                for _, keys in groupby(sorted(self._untold, key=_slot), key=_slot):
                    await self._hit(list(keys), 0)
        finally:
            self._telling = None

    async def _hit(self, keys: Sequence[str], number: int = 1) -> list[Counted]:
        """Count so many more of each, and what was not told yet."""
        if time.monotonic() >= self._alone_until:
            untold = [self._untold.pop(key, 0) for key in keys]
            try:
                async with asyncio.timeout(_PATIENCE):
                    found = await self.shared.hit(keys, _WINDOW, [number + more for more in untold])
            except (RedisError, OSError) as failure:  # OSError: a time-out, too
                self._alone_until = time.monotonic() + _LEFT_ALONE
                _log.warning("counting requests in this process alone", extra={"error": repr(failure)})
                for key, more in zip(keys, untold, strict=True):
                    if more:
                        self._untold[key] = self._untold.get(key, 0) + more
            else:
                self._remember(keys, found)
                return found
        return await self.local.hit(keys, _WINDOW, [number] * len(keys))

    def _remember(self, keys: Sequence[str], found: Sequence[Counted]) -> None:
        now = time.monotonic()
        if len(self._windows) >= _MOST_WINDOWS:
            self._windows = {key: window for key, window in self._windows.items() if key in self._untold}
        for key, counted in zip(keys, found, strict=True):
            self._windows[key] = _Window(counted.count, now + counted.seconds, now)


def _slot(key: str) -> str:
    """What of a key a cluster places it by."""
    return key.partition("{")[2].partition("}")[0] or key


def open_limits(db: Database, redis: object, settings: QuotasSettings) -> RequestLimits:
    return RequestLimits(db, settings, RedisCounter(redis))


def _tell(found: _Found) -> None:
    """The headers of draft-ietf-httpapi-ratelimit-headers-11: every limit, and how much of the tightest is left."""
    policies = ", ".join(f'"{limit.name}";q={limit.quota};w={_WINDOW:.0f}' for limit, _ in found)
    limit, counted = min(found, key=lambda one: (one[0].quota - one[1].count) / one[0].quota)
    left = max(limit.quota - counted.count, 0)
    current().answer_headers.update(
        {"ratelimit-policy": policies, "ratelimit": f'"{limit.name}";r={left};t={math.ceil(counted.seconds)}'}
    )
