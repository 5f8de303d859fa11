"""What one process needs to sign people in and to know them again."""

from dataclasses import dataclass, field

from promptcraft.identity.clients import AttemptCounter, RedisCounter
from promptcraft.identity.service.keys import SigningKeys
from promptcraft.identity.service.revocation import Revocations
from promptcraft.identity.service.second_factor import SecondFactors
from promptcraft.identity.service.seen import SeenTokens
from promptcraft.identity.service.throttle import DatabaseCounter, FallbackCounter
from promptcraft.kernel.db import Database
from promptcraft.kernel.wakeups import Redis
from promptcraft.settings import IdentitySettings


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity in one process; `issuer` is the address that its tokens name."""

    db: Database
    settings: IdentitySettings
    issuer: str
    keys: SigningKeys = field(repr=False)
    attempts: AttemptCounter
    seen: SeenTokens = field(repr=False)
    revocations: Revocations = field(repr=False)
    second_factors: SecondFactors = field(repr=False)

    def start(self) -> None:
        """Begin to hear of revocations; before, and where nobody calls this, every request is checked."""
        self.revocations.start()

    async def close(self) -> None:
        await self.revocations.close()


def open_identity(
    db: Database, redis: Redis, settings: IdentitySettings, *, issuer: str, master_key: bytes
) -> Identity:
    """Put the parts together; nothing is read before it is needed."""
    seen = SeenTokens()
    return Identity(
        db=db,
        settings=settings,
        issuer=issuer,
        keys=SigningKeys(db, settings.jwt_algorithm, master_key),
        attempts=FallbackCounter(RedisCounter(redis), DatabaseCounter(db)),
        seen=seen,
        revocations=Revocations(db, redis, seen),
        second_factors=SecondFactors(master_key),
    )
