"""One-time ways in: how somebody new, or somebody who forgot, sets a password that no administrator knows."""

import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import InvitationRefused
from promptcraft.identity.schemas import Invitation, UserInvitation
from promptcraft.identity.service import sessions
from promptcraft.identity.service.accounts import account_of
from promptcraft.identity.service.digests import digest
from promptcraft.identity.service.directory import managed, refuse_more_than, user
from promptcraft.identity.service.opening import Identity
from promptcraft.identity.service.passwords import hash_password
from promptcraft.identity.service.people import add_account, keep_password
from promptcraft.identity.tables import InvitationRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit.catalogue.identity import INVITATION_ACCEPTED, INVITATION_REFUSED, USER_INVITED
from promptcraft.kernel.context import current
from promptcraft.kernel.db import system_unit_of_work, unit_of_work

_PREFIX = "pci_"
_BYTES = 24
_LIFETIME = timedelta(days=7)


async def invite(session: AsyncSession, actor: Actor, request: UserInvitation) -> Invitation:
    """Add somebody to the actor's organisation. Raises NameTaken, MayMoreThanYou."""
    refuse_more_than(actor, request.roles, request.groups)
    display_name = request.display_name or request.username
    user_id = await add_account(session, actor, request.username, display_name, request.roles, request.groups)
    await session.flush()
    return await _invitation(session, actor, user_id)


async def invite_again(session: AsyncSession, actor: Actor, user_id: UUID) -> Invitation:
    """A new way in for somebody who lost theirs; the one before is worth nothing.

    Raises NoSuchUser, NotYourself, MayMoreThanYou.
    """
    row = await managed(session, actor, user_id)
    return await _invitation(session, actor, row.id)


async def accept(identity: Identity, invitation: str, password: str) -> None:
    """Set the password that the invitation is for; every session of the user ends. Raises InvitationRefused."""
    presented = digest(invitation)
    async with system_unit_of_work(identity.db) as session:
        row = await session.scalar(select(InvitationRow).where(InvitationRow.hash == presented))
    account = await account_of(identity.db, row.org_id, row.user_id) if row else None
    if row is None or account is None or not account.active or row.expires_at <= clock.now():
        raise await _refused(identity, row)
    hashed = await hash_password(password)
    actor = account.actor(None)
    async with unit_of_work(identity.db, actor) as session:
        # Of two who come with it at once, one takes it.
        mine = delete(InvitationRow).where(InvitationRow.org_id == row.org_id, InvitationRow.hash == presented)
        taken = await session.scalar(mine.returning(InvitationRow.user_id))
        if taken is not None:
            await keep_password(session, actor, account.user_id, hashed)
            await sessions.end_all(session, account.org_id, account.user_id)
            await audit.record(session, actor, INVITATION_ACCEPTED, resource=account.user_id)
    if taken is None:
        raise await _refused(identity, row)


async def _invitation(session: AsyncSession, actor: Actor, user_id: UUID) -> Invitation:
    invitation = _PREFIX + secrets.token_urlsafe(_BYTES)
    now = clock.now()
    new = {"hash": digest(invitation), "created_at": now, "expires_at": now + _LIFETIME}
    statement = insert(InvitationRow).values(org_id=actor.org_id, user_id=user_id, **new)
    await session.execute(statement.on_conflict_do_update(constraint="invitation_pkey", set_=new))
    await audit.record(session, actor, USER_INVITED, resource=user_id)
    invited = await user(session, actor, user_id)
    return Invitation(user=invited, invitation=invitation, expires_at=now + _LIFETIME)


async def _refused(identity: Identity, row: InvitationRow | None) -> InvitationRefused:
    actor = platform_actor(current().request_id, row.org_id) if row else platform_actor(current().request_id)
    about = {"resource": row.user_id if row else None, "reason": "not usable any more" if row else "unknown"}
    await audit.record_alone(identity.db, actor, INVITATION_REFUSED, status_code=401, **about)
    return InvitationRefused()
