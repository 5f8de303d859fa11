"""Credentials that were verified lately: a signature is checked and a row is read once, not on each request."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from promptcraft.identity.schemas import RevocationKind
from promptcraft.kernel.permissions import Permission

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Seen:
    """Who comes by a credential, and until when that may be taken as said.

    `stands_on` names what it falls with: its token or key, its session, its user.
    """

    org_id: UUID
    user_id: UUID
    session_id: UUID | None
    username: str
    permissions: frozenset[Permission]
    expires_at: datetime
    stands_on: frozenset[tuple[RevocationKind, UUID]]


class SeenTokens:
    """By the credentials' hashes. What is forgotten while a credential is being verified is not remembered again."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()
        self._forgotten = 0

    def get(self, digest: bytes) -> Seen | None:
        return self._seen.get(digest)

    def moment(self) -> int:
        """To be taken before a credential is verified and given when it is remembered."""
        return self._forgotten

    def remember(self, digest: bytes, seen: Seen, moment: int) -> None:
        if moment != self._forgotten:
            return
        self._seen[digest] = seen
        self._seen.move_to_end(digest)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def forget(self, kind: str, subject: UUID) -> None:
        self._forgotten += 1
        for digest in [digest for digest, seen in self._seen.items() if (kind, subject) in seen.stands_on]:
            del self._seen[digest]
