"""Periodic work, and the sweep that finds what no wake-up reached."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, system_unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs.lease import FAR_SECONDS, LEASE_SECONDS, renewing
from promptcraft.kernel.jobs.model import FenceLost, StandingJob
from promptcraft.kernel.telemetry import get_logger

_log = get_logger(__name__)

_IDLE = text("""
    select case when exists (select 1 from kernel.standing_job where lease_until > clock_timestamp())
                  or exists (select 1 from kernel.job where lease_until > clock_timestamp() and finished_at is null)
                then 0
                else (select extract(epoch from clock_timestamp() - max(last_run_at)) from kernel.standing_job) end
""")
_ENSURE = text(
    "insert into kernel.standing_job (name, run_after, fencing_token, failures)"
    " values (:name, clock_timestamp(), 0, 0) on conflict do nothing"
)
_CLAIM = text("""
    update kernel.standing_job
       set lease_owner = :worker, lease_until = clock_timestamp() + make_interval(secs => :lease),
           fencing_token = fencing_token + 1
     where name = :name
       and (:woken or run_after not between clock_timestamp() and clock_timestamp() + make_interval(secs => :every))
       and (lease_until is null
            or lease_until not between clock_timestamp() and clock_timestamp() + make_interval(secs => :far))
    returning fencing_token
""")
_RENEW = text("""
    update kernel.standing_job set lease_until = clock_timestamp() + make_interval(secs => :lease)
     where name = :name and fencing_token = :token
    returning 1
""")
_RELEASE = text("""
    update kernel.standing_job
       set lease_owner = null, lease_until = null, last_run_at = clock_timestamp(), error = :error,
           failures = case when cast(:error as text) is null then 0 else failures + 1 end,
           run_after = clock_timestamp() + make_interval(secs => :every)
     where name = :name and fencing_token = :token
""")
# What is due later than its like ever is, was put there before the clock was set back, and is due now. The workers know
# how often each is to be run; here an hour and a half is more than any.
_LONGEST_SECONDS = 5400.0
_DUE = text("""
    select name as target, run_after as since from kernel.standing_job
     where run_after not between clock_timestamp() and clock_timestamp() + make_interval(secs => :longest)
       and (lease_until is null
            or lease_until not between clock_timestamp() and clock_timestamp() + make_interval(secs => :far))
    union all
    (select id::text, run_after from kernel.job
      where finished_at is null
        and run_after not between clock_timestamp() and clock_timestamp() + make_interval(secs => :far)
        and (lease_until is null
             or lease_until not between clock_timestamp() and clock_timestamp() + make_interval(secs => :far))
      order by run_after limit 500)
""")


@dataclass(frozen=True, slots=True)
class DueWork:
    """A job's id or a name of periodic work, and since when it is due."""

    target: str
    since: datetime


async def ensure_standing_jobs(db: Database, jobs: Iterable[StandingJob]) -> None:
    """Give each its row; rows of jobs that this version does not know stay, and are not run."""
    async with system_unit_of_work(db) as session:
        for job in jobs:
            await session.execute(_ENSURE, {"name": job.name})


async def run_standing_job(db: Database, jobs: Mapping[str, StandingJob], name: str, worker: str) -> None:
    """Run it if it is due or woken, unless another worker does.

    A name that only a newer version knows is left to the workers of that version.
    """
    job = jobs.get(name)
    if job is None:
        return
    async with system_unit_of_work(db) as session:
        wanted = {
            "name": name, "worker": worker, "lease": LEASE_SECONDS, "woken": job.woken, "every": job.every_seconds,
            "far": FAR_SECONDS,
        }  # fmt: skip
        token = await session.scalar(_CLAIM, wanted)
    if token is None:
        return
    error = None
    identifier = str(new_id())
    with enter(WorkContext("worker", identifier, identifier)):
        try:
            async with renewing(db, _RENEW, {"name": name, "token": token}, name):
                await job.run(db)
        except FenceLost:
            _log.warning("another worker took the periodic work", extra={"standing_job": name})
            return
        except Exception as failure:  # noqa: BLE001 - process edge: it is told, counted, and run again when due
            _log.exception("periodic work failed", extra={"standing_job": name})
            error = repr(failure)[:2000]
    async with system_unit_of_work(db) as session:
        outcome = {"name": name, "token": token, "every": job.every_seconds, "error": error}
        await session.execute(_RELEASE, outcome)


async def due_work(db: Database) -> list[DueWork]:
    """Due jobs and due periodic work that nobody holds."""
    async with system_unit_of_work(db) as session:
        found = await session.execute(_DUE, {"longest": _LONGEST_SECONDS, "far": FAR_SECONDS})
        return [DueWork(row.target, row.since) for row in found]


async def idle_seconds(session: AsyncSession) -> float | None:
    """For how long no worker anywhere has done anything; None where none ever has. Asked as `system`."""
    idle = await session.scalar(_IDLE)
    return None if idle is None else float(idle)
