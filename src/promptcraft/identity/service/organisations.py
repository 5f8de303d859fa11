"""Organisations, for whoever administers the platform: made, kept out, let in again."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import func, select

from promptcraft.identity.errors import NoSuchOrganisation, NotYourself
from promptcraft.identity.schemas import (
    Invitation,
    Organisation,
    OrganisationEntry,
    OrganisationFounding,
    UserInvitation,
)
from promptcraft.identity.service import invitations
from promptcraft.identity.service.people import found_organisation
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.tables import OrganisationRow, UserRow
from promptcraft.kernel import audit
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.identity import ORGANISATION_RESUMED, ORGANISATION_SUSPENDED
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.pages import Page
from promptcraft.kernel.permissions import Role, permissions_of


async def organisations(db: Database, page: Page) -> list[OrganisationEntry]:
    """Every organisation, by its short name."""
    users = select(UserRow.org_id, func.count()).where(UserRow.active).group_by(UserRow.org_id)
    async with system_unit_of_work(db) as session:
        rows = await page.of(session, select(OrganisationRow), OrganisationRow.slug)
        counted = {org_id: count for org_id, count in await session.execute(users)}
    return [_shown(row, counted.get(row.org_id, 0)) for row in rows]


async def found(db: Database, actor: Actor, request: OrganisationFounding) -> tuple[Organisation, Invitation]:
    """Make an organisation and invite its first administrator. Raises NameTaken."""
    organisation = await found_organisation(db, request.slug, request.name)
    invitation = UserInvitation(username=request.administrator, roles=(Role.ADMIN,))
    async with unit_of_work(db, _there(actor, organisation.id)) as session:
        return organisation, await invitations.invite(session, _there(actor, organisation.id), invitation)


async def suspend(db: Database, actor: Actor, org_id: UUID) -> OrganisationEntry:
    """Let nobody of the organisation in. What it has stays. Raises NoSuchOrganisation, NotYourself."""
    return await _set_active(db, actor, org_id, active=False)


async def resume(db: Database, actor: Actor, org_id: UUID) -> OrganisationEntry:
    """Let its people in again. Raises NoSuchOrganisation, NotYourself."""
    return await _set_active(db, actor, org_id, active=True)


async def _set_active(db: Database, actor: Actor, org_id: UUID, *, active: bool) -> OrganisationEntry:
    if org_id == actor.org_id:
        raise NotYourself("It is your own organisation.")
    there = _there(actor, org_id)
    async with unit_of_work(db, there) as session:
        row = await session.get(OrganisationRow, org_id, with_for_update=True)
        if row is None:
            raise NoSuchOrganisation
        row.active = active
        await revoke(session, org_id, "organisation", org_id)
        event = ORGANISATION_RESUMED if active else ORGANISATION_SUSPENDED
        await audit.record(session, there, event, resource=org_id)
        users = await session.scalar(
            select(func.count()).select_from(UserRow).where(UserRow.org_id == org_id, UserRow.active)
        )
    return _shown(row, users or 0)


def _there(actor: Actor, org_id: UUID) -> Actor:
    """The same person, acting in another organisation as its administrator would; its log says who it was."""
    return replace(actor, org_id=org_id, permissions=permissions_of([Role.ADMIN]))


def _shown(row: OrganisationRow, users: int) -> OrganisationEntry:
    return OrganisationEntry(
        id=row.org_id, slug=row.slug, name=row.name, active=row.active, users=users, created_at=row.created_at
    )
