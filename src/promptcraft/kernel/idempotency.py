"""What requests that may be sent twice were first answered (draft-ietf-httpapi-idempotency-key-header-08).

A key is claimed inside the transaction of the change, so a process that dies leaves none claimed, and a commit whose
answer was lost on the way is known. What failed is not kept: a retry does the work.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Index, delete, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit import Sealed, sealer
from promptcraft.kernel.db import Base, Database, system_unit_of_work
from promptcraft.kernel.errors import Conflict, Invalid

KEPT = timedelta(hours=24)
_NOBODY = UUID(int=0)


class KeyInUse(Conflict):
    code = "idempotency_key_in_use"
    title = "The first request with this Idempotency-Key is still being worked on"
    next_step = "Wait a moment, then send the same request again."
    retry_after_seconds = 1


class KeyReused(Invalid):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key came with another request before"
    next_step = "Take a new key for a new request; send a request again unchanged."


class IdempotencyKeyRow(Base):
    """A key that somebody used, and what came of it: a resource to look at, or the answer, sealed as a person's."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_expires_at", "expires_at"), {"schema": "kernel"})

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    resource: Mapped[UUID | None]
    status: Mapped[int | None]
    location: Mapped[str | None]
    answer: Mapped[str | None]
    sealed_by: Mapped[str | None]
    expires_at: Mapped[datetime]


@dataclass(slots=True)
class Once:
    """A request's key and digest; `replayed` where the answer is of an earlier request with them."""

    key: bytes
    fingerprint: bytes
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    location: str | None
    body: str


# Who holds the lock is at it; whoever does not get it never waits. Both end with the transaction.
_CLAIM = text("""
    with held as materialized (select pg_try_advisory_xact_lock(:lock) as got)
    insert into kernel.idempotency_key as kept (org_id, user_id, key, fingerprint, resource, expires_at)
    select :org_id, :user_id, :key, :fingerprint, cast(:resource as uuid), :expires_at from held where got
    on conflict (org_id, user_id, key) do update
       set fingerprint = excluded.fingerprint, resource = excluded.resource, expires_at = excluded.expires_at,
           status = null, location = null, answer = null, sealed_by = null
     where kept.expires_at <= :now
    returning 1
""")


async def claim(session: AsyncSession, actor: Actor, once: Once) -> Answer | None:
    """The answer that this request was given before; None where it is the first, which then has to `keep` its own.

    Raises KeyInUse, KeyReused.
    """
    row = await _claimed(session, actor, once, None)
    if row is None:
        return None
    body = sealer().open(actor.org_id, Sealed(row.sealed_by or "", row.answer or ""), once.key.hex())
    if body is None or row.status is None:
        raise Conflict("What this request was answered is not known any more.")
    return Answer(row.status, row.location, body)


async def keep(session: AsyncSession, actor: Actor, once: Once, answer: Answer) -> None:
    sealed = sealer().seal(actor.org_id, actor.user_id, answer.body, once.key.hex())
    given = {"status": answer.status, "location": answer.location}
    values = {**given, "answer": sealed.ciphertext, "sealed_by": sealed.key_id}
    await session.execute(update(IdempotencyKeyRow).where(*_of(actor, once)).values(values))


async def claim_for(session: AsyncSession, actor: Actor, once: Once, resource: UUID) -> UUID | None:
    """What an earlier request with this key made; None where this is the first, which makes `resource`.

    For work of several transactions: the resource itself knows how far it is. Raises KeyInUse, KeyReused.
    """
    row = await _claimed(session, actor, once, resource)
    return row.resource if row else None


async def take_over(session: AsyncSession, actor: Actor, once: Once, failed: UUID, resource: UUID) -> None:
    """Do again what an earlier request failed at, as another resource. Raises KeyInUse where somebody else does."""
    mine = update(IdempotencyKeyRow).where(*_of(actor, once), IdempotencyKeyRow.resource == failed)
    again = mine.values(resource=resource, expires_at=clock.now() + KEPT).returning(IdempotencyKeyRow.key)
    if await session.scalar(again) is None:
        raise KeyInUse


async def forget_keys(db: Database) -> None:
    """Drop what nobody may send again."""
    async with system_unit_of_work(db) as session:
        await session.execute(delete(IdempotencyKeyRow).where(IdempotencyKeyRow.expires_at <= clock.now()))


async def _claimed(session: AsyncSession, actor: Actor, once: Once, resource: UUID | None) -> IdempotencyKeyRow | None:
    now = clock.now()
    user_id = actor.user_id or _NOBODY
    values: dict[str, Any] = {
        "lock": int.from_bytes(once.key[:8], signed=True),
        "org_id": actor.org_id, "user_id": user_id, "key": once.key,
        "fingerprint": once.fingerprint, "resource": resource, "expires_at": now + KEPT, "now": now,
    }  # fmt: skip
    if await session.scalar(_CLAIM, values) is not None:
        return None
    row = await session.get(IdempotencyKeyRow, (actor.org_id, user_id, once.key), populate_existing=True)
    if row is None or row.expires_at <= now:
        raise KeyInUse
    if row.fingerprint != once.fingerprint:
        raise KeyReused
    return row


def _of(actor: Actor, once: Once) -> tuple[Any, Any, Any]:
    row = IdempotencyKeyRow
    return row.org_id == actor.org_id, row.user_id == (actor.user_id or _NOBODY), row.key == once.key
