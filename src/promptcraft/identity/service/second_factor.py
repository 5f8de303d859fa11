"""Second factors of local accounts: one-time codes by time (RFC 6238), and recovery codes for a lost device."""

import base64
import secrets
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.errors import NoSecondFactor, NotByKey, SecondFactorThere, WrongCode
from promptcraft.identity.schemas import RecoveryCodes, SecondFactorSecret
from promptcraft.identity.service.digests import digest
from promptcraft.identity.service.revocation import revoke
from promptcraft.identity.tables import RecoveryCodeRow, SecondFactorRow, SessionRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.identity import (
    RECOVERY_CODE_USED,
    SECOND_FACTOR_BEGUN,
    SECOND_FACTOR_CONFIRMED,
    SECOND_FACTOR_REMOVED,
)
from promptcraft.kernel.sealing import Seal

_ISSUER = "PromptCraft-Hybrid"
# What authenticators take for granted: SHA-1, six digits, half a minute.
_SECRET_BYTES, _DIGITS, _STEP_SECONDS = 20, 6, 30
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10


class SecondFactors:
    """Opens and seals the secrets of one-time codes, each bound to its user."""

    def __init__(self, master_key: bytes) -> None:
        self._seal = Seal(master_key, b"promptcraft identity second factors 1")

    def seal(self, secret: bytes, user_id: UUID) -> bytes:
        return self._seal.close(secret, user_id.bytes)

    def codes(self, row: SecondFactorRow) -> TOTP:
        return _codes(self._seal.open(row.sealed_secret, row.user_id.bytes))


async def begin(session: AsyncSession, factors: SecondFactors, actor: Actor) -> SecondFactorSecret:
    """A secret for the actor's authenticator, in force once a code of it was given. Raises SecondFactorThere, NotByKey.

    Who begins again before that gets another.
    """
    user_id = _person(actor)
    row = await _row(session, actor.org_id, user_id)
    if row is not None and row.confirmed_at is not None:
        raise SecondFactorThere
    if row is not None:
        await session.delete(row)
        await session.flush()
    secret = secrets.token_bytes(_SECRET_BYTES)
    session.add(
        SecondFactorRow(
            org_id=actor.org_id,
            user_id=user_id,
            sealed_secret=factors.seal(secret, user_id),
            last_step=0,
            created_at=clock.now(),
        )
    )
    await audit.record(session, actor, SECOND_FACTOR_BEGUN, resource=user_id)
    uri = _codes(secret).get_provisioning_uri(actor.name, _ISSUER)
    return SecondFactorSecret(secret=base64.b32encode(secret).decode(), uri=uri)


async def confirm(session: AsyncSession, factors: SecondFactors, actor: Actor, code: str) -> RecoveryCodes:
    """Put the second factor in force: from here on signing in needs a code. This session has given it.

    Raises NoSecondFactor, SecondFactorThere, WrongCode, NotByKey.
    """
    user_id = _person(actor)
    row = await _row(session, actor.org_id, user_id)
    if row is None:
        raise NoSecondFactor
    if row.confirmed_at is not None:
        raise SecondFactorThere
    step = _step_of(factors.codes(row), code, row.last_step)
    if step is None:
        raise WrongCode
    row.last_step, row.confirmed_at = step, clock.now()
    codes = tuple(_recovery_code() for _ in range(_RECOVERY_CODES))
    for each in codes:
        session.add(RecoveryCodeRow(org_id=actor.org_id, user_id=user_id, hash=_hash(each)))
    this = (SessionRow.org_id == actor.org_id, SessionRow.id == actor.session_id)
    await session.execute(update(SessionRow).where(*this).values(second_factor=True))
    if actor.session_id is not None:
        await revoke(session, actor.org_id, "session", actor.session_id)
    await audit.record(session, actor, SECOND_FACTOR_CONFIRMED, resource=user_id)
    return RecoveryCodes(recovery_codes=codes)


async def remove(session: AsyncSession, factors: SecondFactors, actor: Actor, code: str) -> None:
    """Take the actor's second factor out of force, with a code of it. Raises NoSecondFactor, WrongCode, NotByKey."""
    user_id = _person(actor)
    row = await _row(session, actor.org_id, user_id)
    if row is None:
        raise NoSecondFactor
    if row.confirmed_at is not None and not await taken(session, factors, actor, row, code):
        raise WrongCode
    await _forget(session, actor, user_id)


async def forget(session: AsyncSession, actor: Actor, user_id: UUID) -> None:
    """Take it from somebody who lost device and codes. Raises NoSecondFactor."""
    if await _row(session, actor.org_id, user_id) is None:
        raise NoSecondFactor
    await _forget(session, actor, user_id)


async def in_force(session: AsyncSession, org_id: UUID, user_id: UUID) -> SecondFactorRow | None:
    """A user's second factor, if they have to give a code of it; locked: a code is taken once."""
    row = await _row(session, org_id, user_id)
    return row if row is not None and row.confirmed_at is not None else None


async def taken(session: AsyncSession, factors: SecondFactors, actor: Actor, row: SecondFactorRow, code: str) -> bool:
    """Whether this code, or recovery code, was good; it is not a second time."""
    step = _step_of(factors.codes(row), code, row.last_step)
    if step is not None:
        row.last_step = step
        return True
    mine = (RecoveryCodeRow.org_id == row.org_id, RecoveryCodeRow.user_id == row.user_id)
    used = delete(RecoveryCodeRow).where(*mine, RecoveryCodeRow.hash == _hash(code)).returning(RecoveryCodeRow.user_id)
    if await session.scalar(used) is None:
        return False
    left = await session.scalar(select(func.count()).select_from(RecoveryCodeRow).where(*mine))
    await audit.record(session, actor, RECOVERY_CODE_USED, resource=row.user_id, left=left)
    return True


def _person(actor: Actor) -> UUID:
    if actor.session_id is None or actor.user_id is None:
        raise NotByKey
    return actor.user_id


async def _row(session: AsyncSession, org_id: UUID, user_id: UUID) -> SecondFactorRow | None:
    return await session.get(SecondFactorRow, (org_id, user_id), with_for_update=True)


async def _forget(session: AsyncSession, actor: Actor, user_id: UUID) -> None:
    for table in (SecondFactorRow, RecoveryCodeRow):
        await session.execute(delete(table).where(table.org_id == actor.org_id, table.user_id == user_id))
    await audit.record(session, actor, SECOND_FACTOR_REMOVED, resource=user_id)


def _codes(secret: bytes) -> TOTP:
    return TOTP(secret, _DIGITS, SHA1(), _STEP_SECONDS)  # noqa: S303 - RFC 6238's, which every authenticator has


def _step_of(codes: TOTP, code: str, last_step: int) -> int | None:
    """The step of the clock that a code is of: this one or, as clocks differ, the one before or after; none twice."""
    digits = code.replace(" ", "").encode(errors="replace")
    present = _step(clock.now())
    for step in (present, present - 1, present + 1):
        if step > last_step and len(digits) == _DIGITS:
            try:
                codes.verify(digits, step * _STEP_SECONDS)
            except InvalidToken:
                continue
            return step
    return None


def _step(moment: datetime) -> int:
    return int(moment.timestamp()) // _STEP_SECONDS


def _recovery_code() -> str:
    letters = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _hash(code: str) -> bytes:
    return digest(code.replace("-", "").replace(" ", "").lower())
