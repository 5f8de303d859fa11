"""What lets an agent ask a model: an opaque token, good for one agent, one execution and as long as that may take.

The platform puts it into the request that it sends the agent; the agent sends it back with each model call. It is the
facts themselves, sealed (kernel/sealing.py): any process of the platform can read it.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag

from promptcraft.kernel import clock
from promptcraft.kernel.sealing import Seal

_MOST_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may ask, for which execution of whom, until when."""

    org_id: UUID
    agent: str
    execution_id: UUID
    user_id: UUID | None
    ends_at: datetime

    @property
    def seconds_left(self) -> float:
        return (self.ends_at - clock.now()).total_seconds()


class Grants:
    """Writes and reads tokens."""

    def __init__(self, master_key: bytes) -> None:
        self._seal = Seal(master_key, b"promptcraft gateway grants 1")

    def write(self, grant: Grant) -> str:
        user = str(grant.user_id) if grant.user_id else None
        facts = [str(grant.org_id), grant.agent, str(grant.execution_id), user, grant.ends_at.timestamp()]
        return base64.urlsafe_b64encode(self._seal.close(orjson.dumps(facts))).decode()

    def read(self, token: str) -> Grant | None:
        """What the token grants; None for one that is not ours or over."""
        if len(token) > _MOST_CHARACTERS:
            return None
        try:
            raw = base64.urlsafe_b64decode(token.encode(errors="replace"))
            facts = orjson.loads(self._seal.open(raw))
        except (binascii.Error, InvalidTag, ValueError):
            return None
        org, agent, execution, user, ends = facts
        grant = Grant(
            UUID(org), agent, UUID(execution), UUID(user) if user else None, datetime.fromtimestamp(ends, UTC)
        )
        return grant if grant.seconds_left > 0 else None
