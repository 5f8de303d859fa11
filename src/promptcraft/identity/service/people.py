"""Organisations and the people in them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import NameTaken
from promptcraft.identity.schemas import FirstAdministrator, Me, Organisation
from promptcraft.identity.service.passwords import generate_password, hash_password
from promptcraft.identity.tables import (
    GroupMemberRow,
    GroupRow,
    OrganisationRow,
    PasswordRow,
    RoleBindingRow,
    SessionRow,
    UserRow,
)
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit.catalogue.identity import (
    GROUP_JOINED,
    GROUP_MADE,
    ORGANISATION_FOUNDED,
    PASSWORD_SET,
    ROLE_BOUND,
    USER_ADDED,
)
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.permissions import Role

FIRST_ORGANISATION = "main"
FIRST_ADMINISTRATOR = "admin"


def canonical_username(username: str) -> str:
    """Give the one form of a name that it is stored and looked up in."""
    return username.strip().casefold()


async def found_organisation(db: Database, slug: str, name: str) -> Organisation:
    """Make an organisation. Raises NameTaken."""
    actor = platform_actor(current().request_id, new_id())
    async with unit_of_work(db, actor) as session:
        return await found_own(session, actor, slug, name)


async def found_own(session: AsyncSession, actor: Actor, slug: str, name: str) -> Organisation:
    """Make the organisation that the actor acts in. Raises NameTaken."""
    row = {"org_id": actor.org_id, "slug": slug, "name": name, "active": True, "created_at": clock.now()}
    statement = insert(OrganisationRow).values(row).on_conflict_do_nothing().returning(OrganisationRow.org_id)
    if await session.scalar(statement) is None:
        raise NameTaken(f"There is an organisation {slug} already.")
    await audit.record(session, actor, ORGANISATION_FOUNDED, resource=actor.org_id, slug=slug)
    return Organisation.model_validate(row)


async def add_user(
    db: Database, actor: Actor, username: str, password: str, *, roles: Sequence[Role] = (), groups: Sequence[str] = ()
) -> UUID:
    """Add a local account to the actor's organisation and give its id. Raises NameTaken."""
    hashed = await hash_password(password)
    async with unit_of_work(db, actor) as session:
        user_id = await add_account(session, actor, username, username, roles, groups)
        await keep_password(session, actor, user_id, hashed)
    return user_id


async def add_account(
    session: AsyncSession, actor: Actor, username: str, display_name: str, roles: Sequence[Role], groups: Sequence[str]
) -> UUID:
    """Add an account that nobody can sign in to yet. Raises NameTaken."""
    user_id, now = new_id(), clock.now()
    columns = {
        "org_id": actor.org_id, "id": user_id, "username": canonical_username(username), "display_name": display_name,
        "active": True, "created_at": now,
    }  # fmt: skip
    statement = insert(UserRow).values(columns).on_conflict_do_nothing().returning(UserRow.id)
    if await session.scalar(statement) is None:
        raise NameTaken(f"There is a user {username} already.")
    await audit.record(session, actor, USER_ADDED, resource=user_id, username=canonical_username(username))
    for role in dict.fromkeys(roles):
        session.add(RoleBindingRow(org_id=actor.org_id, role=role, user_id=user_id, created_at=now))
        await audit.record(session, actor, ROLE_BOUND, resource=user_id, role=role)
    for group in dict.fromkeys(groups):
        await join_group(session, actor, user_id, group)
    return user_id


async def join_group(session: AsyncSession, actor: Actor, user_id: UUID, name: str) -> None:
    """Put a user into a group, which is made where there is none of this name."""
    group_id = await session.scalar(select(GroupRow.id).where(GroupRow.org_id == actor.org_id, GroupRow.name == name))
    if group_id is None:
        group_id = new_id()
        session.add(GroupRow(org_id=actor.org_id, id=group_id, name=name, created_at=clock.now()))
        await session.flush()
        await audit.record(session, actor, GROUP_MADE, resource=name)
    session.add(GroupMemberRow(org_id=actor.org_id, group_id=group_id, user_id=user_id))
    await audit.record(session, actor, GROUP_JOINED, resource=user_id, group=name)


async def bootstrap(db: Database) -> FirstAdministrator:
    """Make the first organisation and its administrator, once.

    The password is in the answer until somebody has signed in with one: a start that was killed before it could show
    the password would otherwise lock everybody out.
    """
    async with system_unit_of_work(db) as session:
        found = await session.scalar(select(OrganisationRow).order_by(OrganisationRow.created_at).limit(1))
    organisation = (
        Organisation.model_validate(found)
        if found
        else await found_organisation(db, FIRST_ORGANISATION, FIRST_ORGANISATION.capitalize())
    )
    actor = platform_actor(current().request_id, organisation.id)
    password = generate_password()
    async with unit_of_work(db, actor) as session:
        user_id, used = await _first_administrator(session, actor)
    if user_id is None:
        roles = (Role.ADMIN, Role.PLATFORM_ADMIN)
        await add_user(db, actor, FIRST_ADMINISTRATOR, password, roles=roles)
    elif not used:
        await _set_password(db, actor, user_id, password)
    return FirstAdministrator(
        username=FIRST_ADMINISTRATOR, password=None if used else password, organization=organisation.slug
    )


async def _first_administrator(session: AsyncSession, actor: Actor) -> tuple[UUID | None, bool]:
    """Give the administrator's id, if there is one, and whether they have ever signed in."""
    user_id = await session.scalar(
        select(UserRow.id).where(UserRow.org_id == actor.org_id, UserRow.username == FIRST_ADMINISTRATOR)
    )
    signed_in = select(SessionRow.id).where(SessionRow.org_id == actor.org_id, SessionRow.user_id == user_id).limit(1)
    return user_id, user_id is not None and await session.scalar(signed_in) is not None


async def _set_password(db: Database, actor: Actor, user_id: UUID, password: str) -> None:
    hashed = await hash_password(password)
    async with unit_of_work(db, actor) as session:
        await keep_password(session, actor, user_id, hashed)


async def keep_password(session: AsyncSession, actor: Actor, user_id: UUID, hashed: str) -> None:
    """Store a user's new password, hashed already: that takes time, which no transaction should wait for."""
    row = {"org_id": actor.org_id, "user_id": user_id, "hash": hashed, "changed_at": clock.now()}
    new = insert(PasswordRow).values(row)
    await session.execute(
        new.on_conflict_do_update(constraint="password_pkey", set_={"hash": hashed, "changed_at": clock.now()})
    )
    await audit.record(session, actor, PASSWORD_SET, resource=user_id)


async def roles_and_groups(session: AsyncSession, org_id: UUID, user_id: UUID) -> tuple[list[str], list[str]]:
    """Give the roles that a user holds, alone or by a group, and the groups' names."""
    memberships = (
        select(GroupRow.id, GroupRow.name)
        .join(GroupMemberRow, (GroupMemberRow.org_id == GroupRow.org_id) & (GroupMemberRow.group_id == GroupRow.id))
        .where(GroupRow.org_id == org_id, GroupMemberRow.user_id == user_id)
    )
    groups = (await session.execute(memberships)).all()
    of_user = or_(RoleBindingRow.user_id == user_id, RoleBindingRow.group_id.in_([group.id for group in groups]))
    roles = select(RoleBindingRow.role).where(RoleBindingRow.org_id == org_id, of_user).distinct()
    return sorted(await session.scalars(roles)), sorted(group.name for group in groups)


async def me(session: AsyncSession, actor: Actor) -> Me:
    """Who the actor is, by what the database says now."""
    user = await session.get_one(UserRow, (actor.org_id, actor.user_id))
    organisation = await session.get_one(OrganisationRow, actor.org_id)
    login = await session.get_one(SessionRow, (actor.org_id, actor.session_id)) if actor.session_id else None
    roles, groups = await roles_and_groups(session, actor.org_id, user.id)
    return Me(
        user_id=user.id,
        username=user.username,
        display_name=user.display_name,
        organization=Organisation.model_validate(organisation),
        roles=tuple(roles),
        groups=tuple(groups),
        permissions=tuple(sorted(actor.permissions)),
        session_id=login.id if login else None,
        session_expires_at=login.expires_at if login else None,
    )
