"""Leases on jobs, by the database's clock, so that hosts with other times agree."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.engine import RowMapping

from promptcraft.kernel.actor import Actor
from promptcraft.kernel.db import Database, system_unit_of_work
from promptcraft.kernel.jobs.model import FenceLost, JobState
from promptcraft.kernel.permissions import Permission
from promptcraft.kernel.telemetry import get_logger

LEASE_SECONDS = 10.0
# No lease and no delay of a job reaches further: what does was written before the database's clock was set back.
FAR_SECONDS = 120.0
_RENEW_SECONDS = 2.5
_LONGEST_DELAY_SECONDS = 60.0
_LEFT_SECONDS = 1.0
_log = get_logger(__name__)

_CLAIM = text("""
    update kernel.job
       set lease_owner = :worker, lease_until = clock_timestamp() + make_interval(secs => :lease),
           fencing_token = fencing_token + 1, attempt = attempt + 1,
           state = case state when 'pending' then 'running' else state end,
           started_at = coalesce(started_at, clock_timestamp())
     where id = :id and kind = any(:kinds) and finished_at is null
       and run_after not between clock_timestamp() and clock_timestamp() + make_interval(secs => :far)
       and (lease_until is null
            or lease_until not between clock_timestamp() and clock_timestamp() + make_interval(secs => :far))
    returning *
""")
_RENEW = text("""
    update kernel.job set lease_until = clock_timestamp() + make_interval(secs => :lease)
     where org_id = :org_id and id = :id and fencing_token = :token
    returning state
""")
_RELEASE = text("""
    update kernel.job
       set lease_until = null, lease_owner = null,
           error = case when state in ('compensating', 'cancelling') then error else :reason end,
           run_after = clock_timestamp() + make_interval(secs => :delay)
     where org_id = :org_id and id = :id and fencing_token = :token
""")
_LEAVE = text("""
    update kernel.job
       set lease_until = null, lease_owner = null, attempt = attempt - 1,
           run_after = clock_timestamp() + make_interval(secs => :delay)
     where org_id = :org_id and id = :id and fencing_token = :token
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker holds, under this fencing token."""

    org_id: UUID
    job_id: UUID
    token: int
    kind: str
    state: str
    payload: str
    attempt: int
    error: str | None
    correlation_id: str
    actor: Actor


async def claim_job(db: Database, kinds: Iterable[str], job_id: UUID, worker: str) -> Claim | None:
    """Take the lease of a due job; None where it is finished, not due, held by another, unknown or of another kind.

    A job of a kind that only a newer version knows is left to the workers of that version.
    """
    wanted = {"id": job_id, "kinds": list(kinds), "worker": worker, "lease": LEASE_SECONDS, "far": FAR_SECONDS}
    async with system_unit_of_work(db) as session:
        rows = await session.execute(_CLAIM, wanted)
        row = rows.mappings().first()
    return None if row is None else _claim_of(row)


def _claim_of(row: RowMapping) -> Claim:
    permissions = frozenset(Permission(word) for word in row["permissions"].split() if word in set(Permission))
    actor = Actor(row["org_id"], row["user_id"], row["session_id"], permissions, row["request_id"], row["user_name"])
    return Claim(
        row["org_id"], row["id"], row["fencing_token"], row["kind"], row["state"], row["payload"], row["attempt"],
        row["error"], row["correlation_id"], actor,
    )  # fmt: skip


@asynccontextmanager
async def holding(db: Database, claim: Claim) -> AsyncGenerator[asyncio.Event]:
    """Renew the job's lease while the block runs; FenceLost once it is another's.

    The event is set some seconds after somebody cancelled the job.
    """
    mine = {"org_id": claim.org_id, "id": claim.job_id, "token": claim.token}
    cancelled = asyncio.Event()

    def look(state: object) -> None:
        if state == JobState.CANCELLING:
            cancelled.set()

    async with renewing(db, _RENEW, mine, str(claim.job_id), look):
        yield cancelled


@asynccontextmanager
async def renewing(
    db: Database,
    renewal: TextClause,
    mine: Mapping[str, object],
    what: str,
    renewed: Callable[[object], None] | None = None,
) -> AsyncGenerator[None]:
    """Renew a lease while the block runs; the block is cancelled, with FenceLost, once the lease is another's.

    `renewal` takes `mine` and `lease`, and returns a value where the lease is still ours, which `renewed` is given.
    """
    work = asyncio.current_task()
    lost = False

    async def renew() -> None:
        nonlocal lost
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                async with system_unit_of_work(db) as session:
                    held = await session.scalar(renewal, {**mine, "lease": LEASE_SECONDS})
            except Exception:  # noqa: BLE001 - process edge: whatever it was, only the next renewals can hold the lease
                _log.warning("lease not renewed", exc_info=True, extra={"job": what})
                continue
            if held is None and work is not None:
                lost = True
                work.cancel()
                return
            if renewed is not None:
                renewed(held)

    renewal_task = asyncio.create_task(renew())
    try:
        yield
    except asyncio.CancelledError:
        if lost:
            raise FenceLost from None
        raise
    finally:
        renewal_task.cancel()
        await asyncio.gather(renewal_task, return_exceptions=True)


async def release_job(db: Database, claim: Claim, reason: str) -> None:
    """Give the job back for a later try, longer later each time; at most a minute."""
    async with system_unit_of_work(db) as session:
        delay = min(_LONGEST_DELAY_SECONDS, 0.5 * 2 ** min(claim.attempt, 10))
        await session.execute(
            _RELEASE,
            {"org_id": claim.org_id, "id": claim.job_id, "token": claim.token, "reason": reason, "delay": delay},
        )


async def leave_job(db: Database, claim: Claim) -> None:
    """Give the job back without having tried it, to a worker of the version that knows its steps."""
    async with system_unit_of_work(db) as session:
        mine = {"org_id": claim.org_id, "id": claim.job_id, "token": claim.token}
        await session.execute(_LEAVE, {**mine, "delay": _LEFT_SECONDS})
