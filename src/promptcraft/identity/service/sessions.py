"""Signing in, staying signed in, signing out."""

import hashlib
import math
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import LoginRefused, LoginThrottled, SessionRefused
from promptcraft.identity.schemas import Tokens
from promptcraft.identity.service import throttle, tokens
from promptcraft.identity.service.opening import Identity
from promptcraft.identity.service.passwords import verify_password
from promptcraft.identity.service.people import canonical_username, roles_and_groups
from promptcraft.identity.tables import OrganisationRow, PasswordRow, SessionRow, UserRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import PLATFORM_ORG, Actor, platform_actor
from promptcraft.kernel.audit.catalogue.identity import (
    LOGIN_FAILED,
    LOGIN_SUCCEEDED,
    LOGIN_THROTTLED,
    SESSION_ENDED,
    SESSION_REFUSED,
    SESSION_RENEWED,
)
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id

_CREDENTIAL_PREFIX = "pcs_"
_CREDENTIAL_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Account:
    org_id: UUID
    user_id: UUID
    username: str
    active: bool
    organisation: str

    def refusal(self, allowed: tuple[str, ...]) -> str | None:
        """Why this account may not sign in, if it may not."""
        if not self.active:
            return "inactive"
        return "organisation_not_allowed" if allowed and self.organisation not in allowed else None


async def sign_in(identity: Identity, username: str, password: str) -> Tokens:
    """Open a session for a local account. Raises LoginRefused, LoginThrottled; each attempt leaves one event."""
    username = canonical_username(username)
    address = current().client_address or "unknown"
    account = await _account(identity.db, UserRow.username == username)
    org_id = account.org_id if account else PLATFORM_ORG
    stranger = platform_actor(current().request_id, org_id)
    about = {"resource": account.user_id if account else None, "username": username}

    wait = await throttle.attempt(identity.attempts, username, address)
    if wait is not None:
        await audit.record_alone(identity.db, stranger, LOGIN_THROTTLED, status_code=429, **about)
        raise LoginThrottled(retry_after_seconds=max(1, math.ceil(wait.total_seconds())))
    # The same steps for a name that nobody has: how long it takes must not tell.
    async with unit_of_work(identity.db, stranger) as session:
        wanted = PasswordRow.user_id == (account.user_id if account else org_id)
        stored = await session.scalar(select(PasswordRow.hash).where(PasswordRow.org_id == org_id, wanted))
    matches = await verify_password(stored, password)
    if account is None:
        reason = "unknown_username"
    else:
        reason = account.refusal(identity.settings.allowed_organizations) if matches else "wrong_password"
    if account is None or reason is not None:
        await audit.record_alone(identity.db, stranger, LOGIN_FAILED, status_code=401, reason=reason, **about)
        raise LoginRefused
    await throttle.succeeded(identity.attempts, username, address)
    return await _open_session(identity, account)


async def _open_session(identity: Identity, account: _Account) -> Tokens:
    credential = _CREDENTIAL_PREFIX + secrets.token_urlsafe(_CREDENTIAL_BYTES)
    now = clock.now()
    row = SessionRow(
        org_id=account.org_id,
        id=new_id(),
        user_id=account.user_id,
        credential_hash=_hash(credential),
        created_at=now,
        expires_at=now + identity.settings.jwt_expiration_hours,
    )
    actor = _actor(account, row.id)
    async with unit_of_work(identity.db, actor) as session:
        session.add(row)
        claims = await _claims(session, account, row.id, row.expires_at)
        await audit.record(session, actor, LOGIN_SUCCEEDED, resource=row.id)
    return await _tokens(identity, claims, credential, row.expires_at)


async def renew(identity: Identity, credential: str) -> Tokens:
    """Give a new access token for a session; roles and groups are read anew. Raises SessionRefused."""
    async with system_unit_of_work(identity.db) as session:
        row = await session.scalar(select(SessionRow).where(SessionRow.credential_hash == _hash(credential)))
    if row is None:
        await _refuse(identity, platform_actor(current().request_id), None, "unknown")
        raise SessionRefused
    account = await _account(identity.db, (UserRow.org_id == row.org_id) & (UserRow.id == row.user_id))
    reason = _over(row) or (account.refusal(identity.settings.allowed_organizations) if account else "unknown")
    if account is None or reason is not None:
        await _refuse(identity, platform_actor(current().request_id, row.org_id), row.id, reason or "unknown")
        raise SessionRefused
    actor = _actor(account, row.id)
    async with unit_of_work(identity.db, actor) as session:
        claims = await _claims(session, account, row.id, row.expires_at)
        await audit.record(session, actor, SESSION_RENEWED, resource=row.id)
    return await _tokens(identity, claims, credential, row.expires_at)


async def end(session: AsyncSession, actor: Actor) -> None:
    """End the session that the actor came by; its credential buys nothing any more."""
    row = await session.get_one(SessionRow, (actor.org_id, actor.session_id), with_for_update=True)
    row.ended_at = row.ended_at or clock.now()
    await audit.record(session, actor, SESSION_ENDED, resource=row.id)


def _over(row: SessionRow) -> str | None:
    if row.ended_at is not None:
        return "ended"
    return "expired" if row.expires_at <= clock.now() else None


async def _account(db: Database, which: object) -> _Account | None:
    query = (
        select(UserRow, OrganisationRow.slug, OrganisationRow.active)
        .join(OrganisationRow, OrganisationRow.org_id == UserRow.org_id)
        .where(which)  # pyright: ignore[reportArgumentType] - a column expression, which SQLAlchemy types by its operand
    )
    async with system_unit_of_work(db) as session:
        found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    user, slug, organisation_active = found
    return _Account(user.org_id, user.id, user.username, user.active and organisation_active, slug)


async def _claims(session: AsyncSession, account: _Account, session_id: UUID, session_ends: datetime) -> tokens.Claims:
    roles, groups = await roles_and_groups(session, account.org_id, account.user_id)
    return tokens.Claims(
        org_id=account.org_id,
        user_id=account.user_id,
        session_id=session_id,
        expires_at=min(clock.now() + tokens.LIFETIME, session_ends),
        roles=tuple(roles),
        groups=tuple(groups),
    )


async def _tokens(identity: Identity, claims: tokens.Claims, credential: str, session_ends: datetime) -> Tokens:
    return Tokens(
        access_token=await tokens.issue(identity.keys, identity.issuer, claims),
        expires_in=max(0, round((claims.expires_at - clock.now()).total_seconds())),
        session=credential,
        session_expires_at=session_ends,
    )


async def _refuse(identity: Identity, actor: Actor, session_id: UUID | None, reason: str) -> None:
    await audit.record_alone(identity.db, actor, SESSION_REFUSED, status_code=401, resource=session_id, reason=reason)


def _actor(account: _Account, session_id: UUID) -> Actor:
    return Actor(account.org_id, account.user_id, session_id, frozenset(), current().request_id, account.username)


def _hash(credential: str) -> bytes:
    return hashlib.sha256(credential.encode(errors="replace")).digest()
