"""Who sends a request: by an access token, or by an API key, and by what either stands on being valid still."""

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import SessionOver, TokenExpired, TokenInvalid
from promptcraft.identity.service import api_keys, sessions, tokens
from promptcraft.identity.service.digests import digest
from promptcraft.identity.service.opening import Identity
from promptcraft.identity.service.people import roles_and_groups
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.service.seen import Seen
from promptcraft.identity.tables import OrganisationRow, RevocationRow, SessionRow, UserRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit.catalogue.identity import CREDENTIAL_REVOKED
from promptcraft.kernel.context import current
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.errors import Unauthenticated
from promptcraft.kernel.permissions import BEFORE_SECOND_FACTOR, permissions_of


async def authenticate(identity: Identity, authorization: str | None) -> Actor:
    """Resolve the caller from the Authorization header.

    Raises Unauthenticated where there is none, TokenInvalid, TokenExpired, SessionOver, ApiKeyRefused.
    """
    if not authorization:
        raise Unauthenticated
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenInvalid
    seen = await _seen(identity, token.strip())
    return Actor(seen.org_id, seen.user_id, seen.session_id, seen.permissions, current().request_id, seen.username)


async def _seen(identity: Identity, token: str) -> Seen:
    key = digest(token)
    is_key = token.startswith(api_keys.PREFIX)
    seen = identity.seen.get(key) if identity.revocations.fresh else None
    if seen is not None and not tokens.over(seen.expires_at):
        return seen
    if seen is not None and not is_key:
        raise TokenExpired
    moment = identity.seen.moment()
    seen = await (api_keys.owner(identity.db, token) if is_key else _bearer(identity, token))
    identity.seen.remember(key, seen, moment)
    return seen


async def surrender(identity: Identity, credential: str) -> None:
    """Revoke a credential for whoever holds it (RFC 7009): what is not valid has nothing to revoke, and is not told."""
    if credential.startswith(api_keys.PREFIX):
        return await api_keys.surrender(identity.db, credential)
    if credential.startswith(sessions.PREFIX):
        return await sessions.surrender(identity, credential)
    try:
        seen = await _bearer(identity, credential)
    except Unauthenticated:
        return None
    token_id = next(subject for kind, subject in seen.stands_on if kind == "token")
    actor = Actor(seen.org_id, seen.user_id, seen.session_id, frozenset(), current().request_id, seen.username)
    async with unit_of_work(identity.db, actor) as session:
        await revoke(session, seen.org_id, "token", token_id)
        await audit.record(session, actor, CREDENTIAL_REVOKED, resource=token_id, kind="access token")
    return None


async def _bearer(identity: Identity, token: str) -> Seen:
    """Who comes by an access token, and what they may do now. Raises TokenInvalid, TokenExpired, SessionOver."""
    claims = await tokens.verify(identity.keys, identity.issuer, token)
    async with unit_of_work(identity.db, platform_actor(current().request_id, claims.org_id)) as session:
        username, second_factor = await _login(session, claims)
        roles, groups = await roles_and_groups(session, claims.org_id, claims.user_id)
    permissions = permissions_of(roles, groups)
    owed = identity.settings.require_mfa and not second_factor
    return Seen(
        org_id=claims.org_id,
        user_id=claims.user_id,
        session_id=claims.session_id,
        username=username,
        permissions=permissions & BEFORE_SECOND_FACTOR if owed else permissions,
        expires_at=claims.expires_at,
        stands_on=frozenset(
            {
                ("token", claims.token_id),
                ("session", claims.session_id),
                ("user", claims.user_id),
                ("organisation", claims.org_id),
            }
        ),
    )


async def _login(session: AsyncSession, claims: tokens.Claims) -> tuple[str, bool]:
    """The name of the user whose session this is, and whether that had a second factor. Raises SessionOver."""
    revoked = exists().where(
        RevocationRow.org_id == claims.org_id, RevocationRow.subject == claims.token_id, RevocationRow.kind == "token"
    )
    query = (
        select(UserRow.username, SessionRow.second_factor)
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
            ~revoked,
        )
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise SessionOver
    return found[0], found[1]
