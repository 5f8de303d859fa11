"""What one process needs to sign people in and to know them again."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from promptcraft.identity.clients import AttemptCounter, RedisCounter
from promptcraft.identity.service.keys import SigningKeys
from promptcraft.identity.service.throttle import DatabaseCounter, FallbackCounter
from promptcraft.identity.service.tokens import Claims
from promptcraft.kernel.db import Database
from promptcraft.kernel.wakeups import Redis
from promptcraft.settings import IdentitySettings

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A token that was verified, and when its session was last looked at."""

    claims: Claims
    username: str
    checked_at: datetime


class SeenTokens:
    """The tokens verified last, by their hash: a signature is checked once, not on each request."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()

    def get(self, digest: bytes) -> Seen | None:
        return self._seen.get(digest)

    def put(self, digest: bytes, seen: Seen) -> None:
        self._seen[digest] = seen
        self._seen.move_to_end(digest)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity in one process; `issuer` is the address that its tokens name."""

    db: Database
    settings: IdentitySettings
    issuer: str
    keys: SigningKeys = field(repr=False)
    attempts: AttemptCounter
    seen: SeenTokens = field(default_factory=SeenTokens, repr=False)


def open_identity(
    db: Database, redis: Redis, settings: IdentitySettings, *, issuer: str, master_key: bytes
) -> Identity:
    """Put the parts together; nothing is read before it is needed."""
    return Identity(
        db=db,
        settings=settings,
        issuer=issuer,
        keys=SigningKeys(db, settings.jwt_algorithm, master_key),
        attempts=FallbackCounter(RedisCounter(redis), DatabaseCounter(db)),
    )
