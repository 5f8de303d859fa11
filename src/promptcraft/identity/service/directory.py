"""The users of an organisation: who they are, what they hold, and when they may not come in any more."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import LastAdministrator, MayMoreThanYou, NoSuchUser, NotYourself
from promptcraft.identity.schemas import AccountExport, User
from promptcraft.identity.service import api_keys, second_factor, sessions
from promptcraft.identity.service.people import join_group, roles_and_groups
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.tables import (
    ApiKeyRow,
    GroupMemberRow,
    GroupRow,
    InvitationRow,
    PasswordRow,
    RecoveryCodeRow,
    RoleBindingRow,
    SecondFactorRow,
    UserRow,
)
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.identity import (
    GROUP_LEFT,
    ROLE_BOUND,
    ROLE_UNBOUND,
    USER_OFFBOARDED,
    USER_RESUMED,
    USER_SUSPENDED,
)
from promptcraft.kernel.pages import Page
from promptcraft.kernel.permissions import Role, permissions_of

# What somebody who leaves has no use for.
_OF_A_USER = (PasswordRow, InvitationRow, SecondFactorRow, RecoveryCodeRow, GroupMemberRow, RoleBindingRow)
# Who administers an organisation is counted under this lock: two who demote each other at once would both succeed.
_LOCK = func.pg_advisory_xact_lock(func.hashtextextended("identity.administrators", 0))


async def users(session: AsyncSession, actor: Actor, page: Page) -> list[User]:
    """The users of the actor's organisation, by name."""
    rows = select(UserRow).where(UserRow.org_id == actor.org_id)
    return await _shown(session, actor, await page.of(session, rows, UserRow.username))


async def user(session: AsyncSession, actor: Actor, user_id: UUID) -> User:
    """One of them. Raises NoSuchUser."""
    [shown] = await _shown(session, actor, [await _row(session, actor, user_id)])
    return shown


async def suspend(session: AsyncSession, actor: Actor, user_id: UUID) -> User:
    """End all that somebody came in by, and let them in no more. Raises what `set_roles` raises."""
    row = await managed(session, actor, user_id)
    await _not_the_last(session, actor, row.id)
    row.active = False
    await sessions.end_all(session, actor.org_id, row.id)
    await audit.record(session, actor, USER_SUSPENDED, resource=row.id)
    return await user(session, actor, row.id)


async def resume(session: AsyncSession, actor: Actor, user_id: UUID) -> User:
    """Let somebody in again. Raises NoSuchUser, MayMoreThanYou, NotYourself."""
    row = await managed(session, actor, user_id)
    row.active = True
    await audit.record(session, actor, USER_RESUMED, resource=row.id)
    return await user(session, actor, row.id)


async def set_roles(session: AsyncSession, actor: Actor, user_id: UUID, roles: Iterable[Role]) -> User:
    """Give somebody these roles and no others. Raises NoSuchUser, MayMoreThanYou, NotYourself, LastAdministrator."""
    row = await managed(session, actor, user_id)
    wanted = {str(role) for role in roles}
    refuse_more_than(actor, wanted, ())
    mine = (RoleBindingRow.org_id == actor.org_id, RoleBindingRow.user_id == row.id)
    held = set(await session.scalars(select(RoleBindingRow.role).where(*mine)))
    if Role.ADMIN in held - wanted:
        await _not_the_last(session, actor, row.id)
    for role in sorted(held - wanted):
        await session.execute(delete(RoleBindingRow).where(*mine, RoleBindingRow.role == role))
        await audit.record(session, actor, ROLE_UNBOUND, resource=row.id, role=role)
    for role in sorted(wanted - held):
        session.add(RoleBindingRow(org_id=actor.org_id, role=role, user_id=row.id, created_at=clock.now()))
        await audit.record(session, actor, ROLE_BOUND, resource=row.id, role=role)
    await revoke(session, actor.org_id, "user", row.id)
    await session.flush()
    return await user(session, actor, row.id)


async def set_groups(session: AsyncSession, actor: Actor, user_id: UUID, groups: Iterable[str]) -> User:
    """Put somebody into these groups and no others. Raises what `set_roles` raises."""
    row = await managed(session, actor, user_id)
    wanted = set(groups)
    mine = (GroupMemberRow.org_id == actor.org_id, GroupMemberRow.user_id == row.id)
    held = dict(
        (
            await session.execute(
                select(GroupRow.name, GroupRow.id)
                .join(GroupMemberRow, GroupMemberRow.group_id == GroupRow.id)
                .where(*mine)
            )
        ).all()
    )
    for name in sorted(held.keys() - wanted):
        await session.execute(delete(GroupMemberRow).where(*mine, GroupMemberRow.group_id == held[name]))
        await audit.record(session, actor, GROUP_LEFT, resource=row.id, group=name)
    for name in sorted(wanted - held.keys()):
        await join_group(session, actor, row.id, name)
    await session.flush()
    refuse_more_than(actor, *await roles_and_groups(session, actor.org_id, row.id))
    await someone_administers(session, actor)
    await revoke(session, actor.org_id, "user", row.id)
    return await user(session, actor, row.id)


async def remove_second_factor(session: AsyncSession, actor: Actor, user_id: UUID) -> User:
    """For somebody who lost their device and recovery codes. Raises NoSecondFactor and what `resume` raises."""
    row = await managed(session, actor, user_id)
    await second_factor.forget(session, actor, row.id)
    return await user(session, actor, row.id)


async def offboard(session: AsyncSession, actor: Actor, user_id: UUID) -> AccountExport:
    """Take everything from somebody who leaves: what they come in by, roles, groups, password. What they did stays.

    Gives what identity knew of them. Raises NoSuchUser, MayMoreThanYou, NotYourself, LastAdministrator.
    """
    row = await managed(session, actor, user_id)
    await _not_the_last(session, actor, row.id)
    leaver = Actor(actor.org_id, row.id, None, frozenset(), actor.request_id, row.username)
    export = AccountExport(
        user=await user(session, actor, row.id),
        sessions=tuple(await sessions.listed(session, leaver)),
        api_keys=tuple(await api_keys.listed(session, leaver)),
    )
    row.active = False
    await sessions.end_all(session, actor.org_id, row.id)
    mine = (ApiKeyRow.org_id == actor.org_id, ApiKeyRow.user_id == row.id, ApiKeyRow.revoked_at.is_(None))
    await session.execute(update(ApiKeyRow).where(*mine).values(revoked_at=clock.now()))
    for table in _OF_A_USER:
        await session.execute(delete(table).where(table.org_id == actor.org_id, table.user_id == row.id))
    await audit.record(session, actor, USER_OFFBOARDED, resource=row.id)
    return export


async def managed(session: AsyncSession, actor: Actor, user_id: UUID) -> UserRow:
    """A user for the actor to change. Raises NoSuchUser, NotYourself, MayMoreThanYou."""
    row = await _row(session, actor, user_id, lock=True)
    if row.id == actor.user_id:
        raise NotYourself
    refuse_more_than(actor, *await roles_and_groups(session, actor.org_id, row.id))
    return row


def refuse_more_than(actor: Actor, roles: Iterable[str], groups: Iterable[str]) -> None:
    """Nobody gives, takes or sets the password of what they may not do themselves. Raises MayMoreThanYou."""
    beyond = sorted(permissions_of(roles, groups) - actor.permissions)
    if beyond:
        raise MayMoreThanYou(f"You do not hold {', '.join(beyond)}.")


async def _row(session: AsyncSession, actor: Actor, user_id: UUID, *, lock: bool = False) -> UserRow:
    query = select(UserRow).where(UserRow.org_id == actor.org_id, UserRow.id == user_id)
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise NoSuchUser
    return row


async def _not_the_last(session: AsyncSession, actor: Actor, leaving: UUID) -> None:
    """Raises LastAdministrator where nobody else would be left."""
    await someone_administers(session, actor, UserRow.id != leaving)


async def someone_administers(session: AsyncSession, actor: Actor, *others: ColumnElement[bool]) -> None:
    await session.execute(select(_LOCK))
    by_group = select(GroupMemberRow.user_id).join(RoleBindingRow, RoleBindingRow.group_id == GroupMemberRow.group_id)
    by_group = by_group.where(RoleBindingRow.org_id == actor.org_id, RoleBindingRow.role == Role.ADMIN)
    alone = select(RoleBindingRow.user_id).where(
        RoleBindingRow.org_id == actor.org_id, RoleBindingRow.role == Role.ADMIN, RoleBindingRow.user_id.is_not(None)
    )
    administrators = select(UserRow.id).where(
        UserRow.org_id == actor.org_id, UserRow.active, UserRow.id.in_(alone) | UserRow.id.in_(by_group), *others
    )
    if await session.scalar(administrators.limit(1)) is None:
        raise LastAdministrator


async def _shown(session: AsyncSession, actor: Actor, rows: list[UserRow]) -> list[User]:
    wanted = [row.id for row in rows]
    roles, groups = defaultdict[UUID | None, list[str]](list), defaultdict[UUID, list[str]](list)
    bindings = select(RoleBindingRow.user_id, RoleBindingRow.role).where(
        RoleBindingRow.org_id == actor.org_id, RoleBindingRow.user_id.in_(wanted)
    )
    for user_id, role in await session.execute(bindings):
        roles[user_id].append(role)
    memberships = (
        select(GroupMemberRow.user_id, GroupRow.name)
        .join(GroupRow, (GroupRow.org_id == GroupMemberRow.org_id) & (GroupRow.id == GroupMemberRow.group_id))
        .where(GroupMemberRow.org_id == actor.org_id, GroupMemberRow.user_id.in_(wanted))
    )
    for user_id, name in await session.execute(memberships):
        groups[user_id].append(name)
    passwords = select(PasswordRow.user_id).where(PasswordRow.org_id == actor.org_id, PasswordRow.user_id.in_(wanted))
    with_password = set(await session.scalars(passwords))
    return [
        User(
            id=row.id,
            username=row.username,
            display_name=row.display_name,
            active=row.active,
            invited=row.active and row.id not in with_password,
            roles=tuple(sorted(roles[row.id])),
            groups=tuple(sorted(groups[row.id])),
            created_at=row.created_at,
        )
        for row in rows
    ]
