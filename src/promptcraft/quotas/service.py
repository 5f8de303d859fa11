"""How many requests somebody may send in a minute."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

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
_PREFIX = "promptcraft:rate:"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that a request counts towards: `name` in the headers, `key` where it is counted."""

    name: str
    quota: int
    key: str


@dataclass(slots=True)
class RequestLimits:
    """The limits of one process. Callers with credentials count as user, organisation and key; others by address."""

    db: Database
    settings: QuotasSettings
    shared: Counter
    local: Counter = field(default_factory=LocalCounter)
    _alone_until: float = 0.0

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
        found = list(zip(limits, await self._hit([limit.key for limit in limits]), strict=True))
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

    async def _hit(self, keys: Sequence[str]) -> list[Counted]:
        if time.monotonic() >= self._alone_until:
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await self.shared.hit(keys, _WINDOW)
            except (RedisError, OSError) as failure:  # OSError: a time-out, too
                self._alone_until = time.monotonic() + _LEFT_ALONE
                _log.warning("counting requests in this process alone", extra={"error": repr(failure)})
        return await self.local.hit(keys, _WINDOW)


def open_limits(db: Database, redis: object, settings: QuotasSettings) -> RequestLimits:
    return RequestLimits(db, settings, RedisCounter(redis))


def _tell(found: Sequence[tuple[Limit, Counted]]) -> None:
    """The headers of draft-ietf-httpapi-ratelimit-headers-11: every limit, and how much of the tightest is left."""
    policies = ", ".join(f'"{limit.name}";q={limit.quota};w={_WINDOW:.0f}' for limit, _ in found)
    limit, counted = min(found, key=lambda one: (one[0].quota - one[1].count) / one[0].quota)
    left = max(limit.quota - counted.count, 0)
    current().answer_headers.update(
        {"ratelimit-policy": policies, "ratelimit": f'"{limit.name}";r={left};t={math.ceil(counted.seconds)}'}
    )
