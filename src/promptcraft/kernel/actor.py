"""Who acts."""

from dataclasses import dataclass
from uuid import UUID

from promptcraft.kernel.permissions import Permission

# The organisation that the platform's own events belong to.
PLATFORM_ORG = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: resolved once per request from the token, never from what the request says."""

    org_id: UUID
    user_id: UUID | None
    session_id: UUID | None
    permissions: frozenset[Permission]
    request_id: str
    name: str = ""

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions


def platform_actor(request_id: str = "", org_id: UUID = PLATFORM_ORG) -> Actor:
    """The platform itself (a sweep, a start-up), in its own organisation or on behalf of another."""
    return Actor(org_id, None, None, frozenset(), request_id, "platform")
