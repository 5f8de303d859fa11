"""Who sends a request: by its access token, and by its session being alive."""

import hashlib
from datetime import timedelta

from sqlalchemy import select

from promptcraft.identity.errors import SessionOver, TokenInvalid
from promptcraft.identity.service import tokens
from promptcraft.identity.service.opening import Identity, Seen
from promptcraft.identity.tables import OrganisationRow, SessionRow, UserRow
from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.errors import Unauthenticated
from promptcraft.kernel.permissions import permissions_of

# How long a session that was ended elsewhere may still be taken for alive.
_LOOK_AGAIN = timedelta(seconds=1)


async def authenticate(identity: Identity, authorization: str | None) -> Actor:
    """Resolve the caller from the Authorization header.

    Raises Unauthenticated where there is none, TokenInvalid, TokenExpired, SessionOver.
    """
    if not authorization:
        raise Unauthenticated
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenInvalid
    seen = await _seen(identity, token.strip())
    claims = seen.claims
    permissions = permissions_of(claims.roles, claims.groups)
    return Actor(claims.org_id, claims.user_id, claims.session_id, permissions, current().request_id, seen.username)


async def _seen(identity: Identity, token: str) -> Seen:
    digest = hashlib.sha256(token.encode(errors="replace")).digest()
    seen = identity.seen.get(digest)
    now = clock.now()
    if seen is None:
        claims = await tokens.verify(identity.keys, identity.issuer, token)
    else:
        claims = seen.claims
        tokens.refuse_expired(claims)
        if timedelta() <= now - seen.checked_at < _LOOK_AGAIN:
            return seen
    seen = Seen(claims, await _username(identity.db, claims), now)
    identity.seen.put(digest, seen)
    return seen


async def _username(db: Database, claims: tokens.Claims) -> str:
    """The name of the user whose session this is. Raises SessionOver."""
    query = (
        select(UserRow.username)
        .join(SessionRow, (SessionRow.org_id == UserRow.org_id) & (SessionRow.user_id == UserRow.id))
        .join(OrganisationRow, OrganisationRow.org_id == UserRow.org_id)
        .where(
            UserRow.org_id == claims.org_id,
            UserRow.id == claims.user_id,
            UserRow.active,
            OrganisationRow.active,
            SessionRow.id == claims.session_id,
            SessionRow.ended_at.is_(None),
            SessionRow.expires_at > clock.now(),
        )
    )
    async with unit_of_work(db, platform_actor(current().request_id, claims.org_id)) as session:
        username = await session.scalar(query)
    if username is None:
        raise SessionOver
    return username
