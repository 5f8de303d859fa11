"""Accounts as a credential finds them, before their organisation is known."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from promptcraft.identity.tables import OrganisationRow, UserRow
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database, system_unit_of_work


@dataclass(frozen=True, slots=True)
class Account:
    """A user who may or may not come in."""

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

    def actor(self, session_id: UUID | None) -> Actor:
        """The user as the one who signs in; without any permission yet."""
        return Actor(self.org_id, self.user_id, session_id, frozenset(), current().request_id, self.username)


async def account_named(db: Database, username: str) -> Account | None:
    """The account of this canonical name."""
    return await _account(db, UserRow.username == username)


async def account_of(db: Database, org_id: UUID, user_id: UUID) -> Account | None:
    return await _account(db, (UserRow.org_id == org_id) & (UserRow.id == user_id))


async def _account(db: Database, which: Any) -> Account | None:
    query = (
        select(UserRow, OrganisationRow.slug, OrganisationRow.active)
        .join(OrganisationRow, OrganisationRow.org_id == UserRow.org_id)
        .where(which)
    )
    async with system_unit_of_work(db) as session:
        found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    user, slug, organisation_active = found
    return Account(user.org_id, user.id, user.username, user.active and organisation_active, slug)
