"""Signing in, staying signed in, signing out.

A session's credentials are a family (RFC 9700 §4.14.2): each is used once and gives the next. A program that lost the
answer, or two that renew at the same moment, get another one within a short grace; whoever comes later with a used one
holds what was stolen, or was stolen from, and the family ends.
"""

import math
import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import (
    LoginRefused,
    LoginThrottled,
    NoSuchSession,
    SecondFactorRefused,
    SecondFactorRequired,
    SessionRefused,
)
from promptcraft.identity.schemas import Session, Tokens
from promptcraft.identity.service import second_factor, throttle, tokens
from promptcraft.identity.service.accounts import Account, account_named, account_of
from promptcraft.identity.service.digests import digest
from promptcraft.identity.service.opening import Identity
from promptcraft.identity.service.passwords import verify_password
from promptcraft.identity.service.people import canonical_username, roles_and_groups
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.tables import PasswordRow, SessionCredentialRow, SessionRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import PLATFORM_ORG, Actor, platform_actor
from promptcraft.kernel.audit.catalogue.identity import (
    CREDENTIAL_REVOKED,
    LOGIN_FAILED,
    LOGIN_SUCCEEDED,
    LOGIN_THROTTLED,
    SESSION_CREDENTIAL_REUSED,
    SESSION_ENDED,
    SESSION_REFUSED,
    SESSION_RENEWED,
)
from promptcraft.kernel.context import current
from promptcraft.kernel.db import system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.pages import Page

PREFIX = "pcs_"
_CREDENTIAL_BYTES = 32
_GRACE = timedelta(seconds=10)


async def sign_in(identity: Identity, username: str, password: str, code: str | None = None) -> Tokens:
    """Open a session for a local account; `code` is of its second factor, if it has one.

    Raises LoginRefused, LoginThrottled, SecondFactorRequired, SecondFactorRefused; each attempt leaves one event.
    """
    username = canonical_username(username)
    address = current().client_address or "unknown"
    account = await account_named(identity.db, username)
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
    try:
        tokens_given = await _open_session(identity, account, code)
    except (SecondFactorRequired, SecondFactorRefused) as refusal:
        await audit.record_alone(identity.db, stranger, LOGIN_FAILED, status_code=401, reason=refusal.code, **about)
        raise
    await throttle.succeeded(identity.attempts, username, address)
    return tokens_given


async def _open_session(identity: Identity, account: Account, code: str | None) -> Tokens:
    now = clock.now()
    row = SessionRow(
        org_id=account.org_id,
        id=new_id(),
        user_id=account.user_id,
        created_at=now,
        expires_at=now + identity.settings.jwt_expiration_hours,
    )
    actor = account.actor(row.id)
    async with unit_of_work(identity.db, actor) as session:
        await _forget_credentials_of_past_sessions(session, account)
        factor = await second_factor.in_force(session, account.org_id, account.user_id)
        if factor is not None:
            if code is None:
                raise SecondFactorRequired
            if not await second_factor.taken(session, identity.second_factors, actor, factor, code):
                raise SecondFactorRefused
        row.second_factor = factor is not None
        session.add(row)
        await session.flush()
        credential = _issue(session, row)
        claims = await _claims(session, account, row)
        await audit.record(session, actor, LOGIN_SUCCEEDED, resource=row.id)
    return await _tokens(identity, claims, credential, row)


async def renew(identity: Identity, credential: str) -> Tokens:
    """Give a new access token and the next credential of a session; roles and groups are read anew.

    Raises SessionRefused.
    """
    row = await _session_of(identity, credential)
    if row is None:
        await _refuse(identity, platform_actor(current().request_id), None, "unknown")
        raise SessionRefused
    account = await account_of(identity.db, row.org_id, row.user_id)
    reason = _over(row) or (account.refusal(identity.settings.allowed_organizations) if account else "unknown")
    if account is None or reason is not None:
        await _refuse(identity, platform_actor(current().request_id, row.org_id), row.id, reason or "unknown")
        raise SessionRefused
    actor = account.actor(row.id)
    async with unit_of_work(identity.db, actor) as session:
        next_one = _issue(session, row) if await _take(session, row.org_id, digest(credential)) else None
        if next_one is None:
            await _end(session, row.org_id, row.id)
            await audit.record(session, actor, SESSION_CREDENTIAL_REUSED, resource=row.id, status_code=401)
        else:
            await audit.record(session, actor, SESSION_RENEWED, resource=row.id)
        claims = await _claims(session, account, row)
    if next_one is None:
        raise SessionRefused
    return await _tokens(identity, claims, next_one, row)


async def _take(session: AsyncSession, org_id: UUID, hashed: bytes) -> bool:
    """Use a credential. Of those who come with the same one, one is the first, and the others have the grace."""
    now = clock.now()
    this = (SessionCredentialRow.org_id == org_id, SessionCredentialRow.hash == hashed)
    first = update(SessionCredentialRow).where(*this, SessionCredentialRow.used_at.is_(None)).values(used_at=now)
    if await session.scalar(first.returning(SessionCredentialRow.used_at)) is not None:
        return True
    used_at = await session.scalar(select(SessionCredentialRow.used_at).where(*this))
    return used_at is not None and now - used_at <= _GRACE


def _issue(session: AsyncSession, row: SessionRow) -> str:
    credential = PREFIX + secrets.token_urlsafe(_CREDENTIAL_BYTES)
    session.add(
        SessionCredentialRow(org_id=row.org_id, hash=digest(credential), session_id=row.id, issued_at=clock.now())
    )
    return credential


async def _forget_credentials_of_past_sessions(session: AsyncSession, account: Account) -> None:
    """Used ones are kept while their session lasts, so that they are known again; then nobody needs them."""
    past = select(SessionRow.id).where(
        SessionRow.org_id == account.org_id, SessionRow.user_id == account.user_id, SessionRow.expires_at < clock.now()
    )
    theirs = SessionCredentialRow.session_id.in_(past)
    await session.execute(delete(SessionCredentialRow).where(SessionCredentialRow.org_id == account.org_id, theirs))


async def listed(session: AsyncSession, actor: Actor, page: Page | None = None) -> list[Session]:
    """The actor's sessions that last, the newest first."""
    query = select(SessionRow).where(
        SessionRow.org_id == actor.org_id,
        SessionRow.user_id == actor.user_id,
        SessionRow.ended_at.is_(None),
        SessionRow.expires_at > clock.now(),
    )
    return [
        Session(id=row.id, created_at=row.created_at, expires_at=row.expires_at, current=row.id == actor.session_id)
        for row in await (page or Page()).of(session, query, SessionRow.id, newest_first=True)
    ]


async def end(session: AsyncSession, actor: Actor, session_id: UUID | None = None) -> None:
    """End one of the actor's sessions, or the one they came by; its credentials and tokens open nothing any more.

    Raises NoSuchSession.
    """
    wanted = session_id or actor.session_id
    row = await session.get(SessionRow, (actor.org_id, wanted)) if wanted else None
    if row is None or row.user_id != actor.user_id:
        raise NoSuchSession
    await _end(session, row.org_id, row.id)
    await audit.record(session, actor, SESSION_ENDED, resource=row.id)


async def end_all(session: AsyncSession, org_id: UUID, user_id: UUID) -> None:
    """End every session of a user; the event is the caller's."""
    theirs = (SessionRow.org_id == org_id, SessionRow.user_id == user_id, SessionRow.ended_at.is_(None))
    await session.execute(update(SessionRow).where(*theirs).values(ended_at=clock.now()))
    await revoke(session, org_id, "user", user_id)


async def surrender(identity: Identity, credential: str) -> None:
    """End the session that a credential belongs to, for whoever holds it; an unknown one has nothing to end."""
    row = await _session_of(identity, credential)
    account = await account_of(identity.db, row.org_id, row.user_id) if row and _over(row) is None else None
    if row is None or account is None:
        return
    actor = account.actor(row.id)
    async with unit_of_work(identity.db, actor) as session:
        await _end(session, row.org_id, row.id)
        await audit.record(session, actor, CREDENTIAL_REVOKED, resource=row.id, kind="session")


async def _session_of(identity: Identity, credential: str) -> SessionRow | None:
    known = (
        select(SessionRow)
        .join(SessionCredentialRow, SessionCredentialRow.session_id == SessionRow.id)
        .where(SessionCredentialRow.org_id == SessionRow.org_id, SessionCredentialRow.hash == digest(credential))
    )
    async with system_unit_of_work(identity.db) as session:
        return await session.scalar(known)


async def _end(session: AsyncSession, org_id: UUID, session_id: UUID) -> None:
    this = (SessionRow.org_id == org_id, SessionRow.id == session_id, SessionRow.ended_at.is_(None))
    await session.execute(update(SessionRow).where(*this).values(ended_at=clock.now()))
    await revoke(session, org_id, "session", session_id)


def _over(row: SessionRow) -> str | None:
    if row.ended_at is not None:
        return "ended"
    return "expired" if row.expires_at <= clock.now() else None


async def _claims(session: AsyncSession, account: Account, row: SessionRow) -> tokens.Claims:
    roles, groups = await roles_and_groups(session, account.org_id, account.user_id)
    return tokens.Claims(
        token_id=new_id(),
        org_id=account.org_id,
        user_id=account.user_id,
        session_id=row.id,
        expires_at=min(clock.now() + tokens.LIFETIME, row.expires_at),
        roles=tuple(roles),
        groups=tuple(groups),
    )


async def _tokens(identity: Identity, claims: tokens.Claims, credential: str, row: SessionRow) -> Tokens:
    return Tokens(
        access_token=await tokens.issue(identity.keys, identity.issuer, claims),
        expires_in=max(0, round((claims.expires_at - clock.now()).total_seconds())),
        session=credential,
        session_expires_at=row.expires_at,
        second_factor_owed=identity.settings.require_mfa and not row.second_factor,
    )


async def _refuse(identity: Identity, actor: Actor, session_id: UUID | None, reason: str) -> None:
    await audit.record_alone(identity.db, actor, SESSION_REFUSED, status_code=401, resource=session_id, reason=reason)
