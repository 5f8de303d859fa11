"""Organisations, for whoever administers the platform: made, kept out, let in again."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import NoSuchOrganisation, NotYourself, OffboardingUnderWay, OrganisationClosed
from promptcraft.identity.schemas import (
    Closing,
    Invitation,
    Organisation,
    OrganisationEntry,
    OrganisationFounding,
    UserInvitation,
)
from promptcraft.identity.service import invitations
from promptcraft.identity.service.people import found_own
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.tables import (
    ApiKeyRow,
    InvitationRow,
    OrganisationRow,
    PasswordRow,
    RecoveryCodeRow,
    SecondFactorRow,
    SessionCredentialRow,
    SessionRow,
    UserRow,
)
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.identity import (
    ORGANISATION_CLOSED,
    ORGANISATION_RESUMED,
    ORGANISATION_SUSPENDED,
)
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import job_view
from promptcraft.kernel.pages import Page
from promptcraft.kernel.permissions import Role, permissions_of

_COME_IN_BY = (SessionCredentialRow, PasswordRow, InvitationRow, RecoveryCodeRow, SecondFactorRow)


async def organisations(db: Database, page: Page) -> list[OrganisationEntry]:
    """Every organisation, by its short name."""
    users = select(UserRow.org_id, func.count()).where(UserRow.active).group_by(UserRow.org_id)
    async with system_unit_of_work(db) as session:
        rows = await page.of(session, select(OrganisationRow), OrganisationRow.slug)
        counted = {org_id: count for org_id, count in await session.execute(users)}
    return [_shown(row, counted.get(row.org_id, 0)) for row in rows]


async def found(db: Database, actor: Actor, request: OrganisationFounding) -> tuple[Organisation, Invitation]:
    """Make an organisation and invite its first administrator. Raises NameTaken."""
    invitation = UserInvitation(username=request.administrator, roles=(Role.ADMIN,))
    there = _there(actor, new_id())
    async with unit_of_work(db, there) as session:
        organisation = await found_own(session, there, request.slug, request.name)
        return organisation, await invitations.invite(session, there, invitation)


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
        await _may_change(session, row)
        row.active = active
        row.offboarding_id = None
        await revoke(session, org_id, "organisation", org_id)
        event = ORGANISATION_RESUMED if active else ORGANISATION_SUSPENDED
        await audit.record(session, there, event, resource=org_id)
        users = await session.scalar(
            select(func.count()).select_from(UserRow).where(UserRow.org_id == org_id, UserRow.active)
        )
    return _shown(row, users or 0)


async def begin_closing(session: AsyncSession, actor: Actor, offboarding_id: UUID) -> OrganisationEntry:
    """Let nobody of the actor's organisation in from now on, as the offboarding of this id begins.

    Raises NoSuchOrganisation, OrganisationClosed, OffboardingUnderWay.
    """
    row = await session.get(OrganisationRow, actor.org_id, with_for_update=True)
    if row is None:
        raise NoSuchOrganisation
    await _may_change(session, row)
    row.active, row.offboarding_id = False, offboarding_id
    await revoke(session, actor.org_id, "organisation", actor.org_id)
    return _shown(row, 0)


async def organisation_there(session: AsyncSession, actor: Actor) -> OrganisationEntry:
    """The actor's organisation as the platform's administrators see it. Raises NoSuchOrganisation."""
    row = await session.get(OrganisationRow, actor.org_id)
    if row is None:
        raise NoSuchOrganisation
    return _shown(row, 0)


async def close_organisation(session: AsyncSession, actor: Actor) -> Closing:
    """End every session and key of the actor's organisation, and what its people come in by, for good.

    What it did stays in the record. Doing it again changes nothing.
    """
    row = await session.get_one(OrganisationRow, actor.org_id, with_for_update=True)
    now, mine = clock.now(), actor.org_id
    ended = update(SessionRow).where(SessionRow.org_id == mine, SessionRow.ended_at.is_(None)).values(ended_at=now)
    revoked = update(ApiKeyRow).where(ApiKeyRow.org_id == mine, ApiKeyRow.revoked_at.is_(None)).values(revoked_at=now)
    left = update(UserRow).where(UserRow.org_id == mine, UserRow.active).values(active=False)
    closing = Closing(
        sessions=len((await session.scalars(ended.returning(SessionRow.id))).all()),
        api_keys=len((await session.scalars(revoked.returning(ApiKeyRow.id))).all()),
        users=len((await session.scalars(left.returning(UserRow.id))).all()),
    )
    for table in _COME_IN_BY:
        await session.execute(delete(table).where(table.org_id == mine))
    await revoke(session, mine, "organisation", mine)
    if row.closed_at is None:
        row.active, row.closed_at = False, now
        await audit.record(session, actor, ORGANISATION_CLOSED, resource=mine, **closing.model_dump())
    return closing


async def _may_change(session: AsyncSession, row: OrganisationRow) -> None:
    if row.closed_at is not None:
        raise OrganisationClosed
    job = await job_view(session, row.org_id, row.offboarding_id) if row.offboarding_id else None
    if job is not None and job.finished_at is None:
        raise OffboardingUnderWay


def administering(actor: Actor, org_id: UUID) -> Actor:
    """A platform administrator, acting in another organisation. Raises NotYourself for their own."""
    if org_id == actor.org_id:
        raise NotYourself("It is your own organisation.")
    return _there(actor, org_id)


def _there(actor: Actor, org_id: UUID) -> Actor:
    """The same person, acting in another organisation as its administrator would; its log says who it was."""
    return replace(actor, org_id=org_id, permissions=permissions_of([Role.ADMIN]))


def _shown(row: OrganisationRow, users: int) -> OrganisationEntry:
    return OrganisationEntry(
        id=row.org_id,
        slug=row.slug,
        name=row.name,
        active=row.active,
        users=users,
        created_at=row.created_at,
        offboarding_id=row.offboarding_id,
        closed_at=row.closed_at,
    )
