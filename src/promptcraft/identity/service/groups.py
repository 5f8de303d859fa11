"""Groups of an organisation, and the roles that all of their members hold."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import NoSuchGroup
from promptcraft.identity.schemas import Group
from promptcraft.identity.service.directory import refuse_more_than, someone_administers
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.tables import GroupMemberRow, GroupRow, RoleBindingRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.identity import GROUP_MADE, GROUP_REMOVED, ROLE_BOUND, ROLE_UNBOUND
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.pages import Page
from promptcraft.kernel.permissions import Role


async def groups(session: AsyncSession, actor: Actor, page: Page) -> list[Group]:
    """The groups of the actor's organisation, by name."""
    rows = await page.of(session, select(GroupRow).where(GroupRow.org_id == actor.org_id), GroupRow.name)
    return await _shown(session, actor, rows)


async def _shown(session: AsyncSession, actor: Actor, rows: Sequence[GroupRow]) -> list[Group]:
    counted = select(GroupMemberRow.group_id, func.count()).where(GroupMemberRow.org_id == actor.org_id)
    members = {group_id: count for group_id, count in await session.execute(counted.group_by(GroupMemberRow.group_id))}
    roles = defaultdict[UUID | None, list[str]](list)
    bound = select(RoleBindingRow.group_id, RoleBindingRow.role).where(RoleBindingRow.org_id == actor.org_id)
    for group_id, role in await session.execute(bound):
        roles[group_id].append(role)
    return [
        Group(
            name=row.name,
            members=members.get(row.id, 0),
            roles=tuple(sorted(roles[row.id])),
            created_at=row.created_at,
        )
        for row in rows
    ]


async def set_roles(session: AsyncSession, actor: Actor, name: str, roles: Iterable[Role]) -> Group:
    """Give every member of a group these roles; one that there is not yet is made.

    Raises MayMoreThanYou, LastAdministrator.
    """
    new = {"org_id": actor.org_id, "id": new_id(), "name": name, "created_at": clock.now()}
    made = insert(GroupRow).values(new).on_conflict_do_nothing().returning(GroupRow.id)
    if await session.scalar(made) is not None:
        await audit.record(session, actor, GROUP_MADE, resource=name)
    row, held = await _managed(session, actor, name)
    wanted = {str(role) for role in roles}
    refuse_more_than(actor, wanted, ())
    mine = (RoleBindingRow.org_id == actor.org_id, RoleBindingRow.group_id == row.id)
    for role in sorted(held - wanted):
        await session.execute(delete(RoleBindingRow).where(*mine, RoleBindingRow.role == role))
        await audit.record(session, actor, ROLE_UNBOUND, resource=name, role=role)
    for role in sorted(wanted - held):
        session.add(RoleBindingRow(org_id=actor.org_id, role=role, group_id=row.id, created_at=clock.now()))
        await audit.record(session, actor, ROLE_BOUND, resource=name, role=role)
    await session.flush()
    await someone_administers(session, actor)
    await _tell_members(session, actor, row.id)
    return (await _shown(session, actor, [row]))[0]


async def remove(session: AsyncSession, actor: Actor, name: str) -> None:
    """Remove a group and what its members held by it. Raises NoSuchGroup, MayMoreThanYou, LastAdministrator."""
    row, _ = await _managed(session, actor, name)
    members = await _tell_members(session, actor, row.id)
    for table in (GroupMemberRow, RoleBindingRow):
        await session.execute(delete(table).where(table.org_id == actor.org_id, table.group_id == row.id))
    await session.delete(row)
    await session.flush()
    await someone_administers(session, actor)
    await audit.record(session, actor, GROUP_REMOVED, resource=name, members=members)


async def _managed(session: AsyncSession, actor: Actor, name: str) -> tuple[GroupRow, set[str]]:
    """A group for the actor to change, and the roles it has."""
    wanted = select(GroupRow).where(GroupRow.org_id == actor.org_id, GroupRow.name == name)
    row = await session.scalar(wanted.with_for_update())
    if row is None:
        raise NoSuchGroup
    bound = select(RoleBindingRow.role).where(RoleBindingRow.org_id == actor.org_id, RoleBindingRow.group_id == row.id)
    held = set(await session.scalars(bound))
    refuse_more_than(actor, held, (name,))
    return row, held


async def _tell_members(session: AsyncSession, actor: Actor, group_id: UUID) -> int:
    """Have processes read anew what the members may do; gives how many there are."""
    members = select(GroupMemberRow.user_id).where(
        GroupMemberRow.org_id == actor.org_id, GroupMemberRow.group_id == group_id
    )
    count = 0
    for user_id in await session.scalars(members):
        await revoke(session, actor.org_id, "user", user_id)
        count += 1
    return count
