"""API keys: what programs come by. Shown once, stored as a hash, bounded by permissions and by time.

A key looks like GitHub's and Grafana's: a prefix that scanners for leaked secrets know, random letters, and a checksum
of them, so that a key that was cut off or mistyped is told from one that is not known without asking anybody.
"""

import secrets
import string
import zlib
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import ApiKeyRefused, NoSuchApiKey, PermissionsNotHeld
from promptcraft.identity.schemas import ApiKey, ApiKeyRequest, NewApiKey
from promptcraft.identity.service.accounts import account_of
from promptcraft.identity.service.digests import digest
from promptcraft.identity.service.people import roles_and_groups
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.service.seen import Seen
from promptcraft.identity.tables import ApiKeyRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit.catalogue.identity import (
    API_KEY_MADE,
    API_KEY_REVOKED,
    API_KEY_ROTATED,
    CREDENTIAL_REVOKED,
)
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.errors import FieldProblem
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.pages import Page
from promptcraft.kernel.permissions import Permission, permissions_of

PREFIX = "pcat_"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LETTERS = 30
_CHECK_LETTERS = 6
_HINT_LETTERS = len(PREFIX) + 4
# How long a key is taken as said before its user's roles are read again, and how often its use is noted.
_LOOK_AGAIN = timedelta(minutes=1)


async def make(session: AsyncSession, actor: Actor, request: ApiKeyRequest) -> NewApiKey:
    """A key for the actor, with all their permissions or with the ones asked for. Raises PermissionsNotHeld."""
    wanted = frozenset(actor.permissions if request.permissions is None else request.permissions)
    _refuse_more_than(actor, request.permissions or ())
    key = _generate()
    row = _row(actor.org_id, actor.user_id, key, request.name, wanted, timedelta(days=request.expires_in_days))
    session.add(row)
    await audit.record(session, actor, API_KEY_MADE, resource=row.id, name=row.name, permissions=row.permissions)
    return _shown_once(row, key)


async def listed(session: AsyncSession, actor: Actor, page: Page | None = None) -> list[ApiKey]:
    """The keys that the actor may see and that still open something, the newest first."""
    rows = select(ApiKeyRow).where(*_of(actor), ApiKeyRow.revoked_at.is_(None), ApiKeyRow.expires_at > clock.now())
    return [_shown(row) for row in await (page or Page()).of(session, rows, ApiKeyRow.id, newest_first=True)]


async def rotate(session: AsyncSession, actor: Actor, key_id: UUID, overlap: timedelta) -> NewApiKey:
    """A new key in the place of one's own, which goes on opening doors for the overlap. Raises NoSuchApiKey."""
    old = await _mine(session, actor, key_id)
    if old.user_id != actor.user_id:
        raise NoSuchApiKey
    now = clock.now()
    key = _generate()
    permissions = frozenset(Permission(name) for name in old.permissions.split())
    new = _row(actor.org_id, old.user_id, key, old.name, permissions, old.expires_at - old.created_at)
    session.add(new)
    old.expires_at = min(old.expires_at, now + overlap)
    await revoke(session, actor.org_id, "api_key", old.id)
    await audit.record(session, actor, API_KEY_ROTATED, resource=new.id, name=new.name, replaces=old.id)
    return _shown_once(new, key)


async def withdraw(session: AsyncSession, actor: Actor, key_id: UUID) -> None:
    """Revoke a key: one's own, or another's by whoever manages users. Raises NoSuchApiKey."""
    row = await _mine(session, actor, key_id)
    row.revoked_at = clock.now()
    await revoke(session, actor.org_id, "api_key", row.id)
    await audit.record(session, actor, API_KEY_REVOKED, resource=row.id, name=row.name)


async def surrender(db: Database, key: str) -> None:
    """Revoke a key for whoever holds it, as finders of a leaked one do; an unknown one has nothing to revoke."""
    row = await _usable(db, key)
    if row is None:
        return
    actor = Actor(row.org_id, row.user_id, None, frozenset(), current().request_id, row.name)
    async with unit_of_work(db, actor) as session:
        this = (ApiKeyRow.org_id == row.org_id, ApiKeyRow.id == row.id)
        await session.execute(update(ApiKeyRow).where(*this).values(revoked_at=clock.now()))
        await revoke(session, row.org_id, "api_key", row.id)
        await audit.record(session, actor, CREDENTIAL_REVOKED, resource=row.id, kind="API key")


async def _usable(db: Database, key: str) -> ApiKeyRow | None:
    async with system_unit_of_work(db) as session:
        row = await session.scalar(select(ApiKeyRow).where(ApiKeyRow.hash == digest(key)))
    return row if row is not None and row.revoked_at is None and row.expires_at > clock.now() else None


async def owner(db: Database, key: str) -> Seen:
    """Who comes by this key, and what they may do by it now. Raises ApiKeyRefused."""
    if not _well_formed(key):
        raise ApiKeyRefused("It is not a whole key: its checksum does not match.")
    row = await _usable(db, key)
    if row is None:
        raise ApiKeyRefused
    now = clock.now()
    account = await account_of(db, row.org_id, row.user_id)
    if account is None or not account.active:
        raise ApiKeyRefused
    async with unit_of_work(db, platform_actor(current().request_id, row.org_id)) as session:
        roles, groups = await roles_and_groups(session, row.org_id, row.user_id)
        await session.execute(
            update(ApiKeyRow).where(ApiKeyRow.org_id == row.org_id, ApiKeyRow.id == row.id).values(last_used_at=now)
        )
    bound = frozenset(row.permissions.split())
    return Seen(
        org_id=row.org_id,
        user_id=row.user_id,
        session_id=None,
        username=account.username,
        permissions=frozenset(each for each in permissions_of(roles, groups) if each in bound),
        expires_at=min(row.expires_at, now + _LOOK_AGAIN),
        stands_on=frozenset({("api_key", row.id), ("user", row.user_id), ("organisation", row.org_id)}),
    )


def _refuse_more_than(actor: Actor, asked: Sequence[Permission]) -> None:
    problems = [
        FieldProblem(f"/permissions/{position}", f"You do not hold {permission} yourself.", "not_held")
        for position, permission in enumerate(asked)
        if not actor.may(permission)
    ]
    if problems:
        raise PermissionsNotHeld(errors=problems)


async def _mine(session: AsyncSession, actor: Actor, key_id: UUID) -> ApiKeyRow:
    wanted = select(ApiKeyRow).where(*_of(actor), ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
    row = await session.scalar(wanted.with_for_update())
    if row is None or row.expires_at <= clock.now():
        raise NoSuchApiKey
    return row


def _of(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """One's own; all of the organisation for whoever manages its users."""
    own = (ApiKeyRow.org_id == actor.org_id,)
    return own if actor.may(Permission.USER_MANAGE) else (*own, ApiKeyRow.user_id == actor.user_id)


def _row(
    org_id: UUID, user_id: UUID | None, key: str, name: str, permissions: frozenset[Permission], life: timedelta
) -> ApiKeyRow:
    now = clock.now()
    return ApiKeyRow(
        org_id=org_id,
        id=new_id(),
        user_id=user_id,
        name=name,
        hint=key[:_HINT_LETTERS],
        hash=digest(key),
        permissions=" ".join(sorted(permissions)),
        created_at=now,
        expires_at=now + life,
    )


def _shown(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        hint=row.hint,
        user_id=row.user_id,
        permissions=tuple(row.permissions.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _shown_once(row: ApiKeyRow, key: str) -> NewApiKey:
    return NewApiKey(**_shown(row).model_dump(), key=key)


def _generate() -> str:
    letters = "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LETTERS))
    return PREFIX + letters + _checksum(letters)


def _well_formed(key: str) -> bool:
    letters, check = key[len(PREFIX) : -_CHECK_LETTERS], key[-_CHECK_LETTERS:]
    return len(letters) == _RANDOM_LETTERS and letters.isascii() and letters.isalnum() and check == _checksum(letters)


def _checksum(letters: str) -> str:
    number, digits = zlib.crc32(letters.encode()), ""
    for _ in range(_CHECK_LETTERS):
        number, rest = divmod(number, len(_BASE62))
        digits = _BASE62[rest] + digits
    return digits
