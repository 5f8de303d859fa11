"""The lease that makes one process the runtime of its host, and what each host says of its isolation."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text

from promptcraft.kernel import audit
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.audit.catalogue.runtime import RUNTIME_STARTED
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.runtime.schemas import HostReport, IsolationReport
from promptcraft.runtime.tables import HostRow

LEASE_SECONDS = 10.0

# A killed runtime's lease is taken at once by its successor in the same place: the driver's lock on that place has
# proved that the predecessor is gone. Anybody else waits until it has run out.
_TAKE = text("""
    insert into runtime.host (name, place, lease_owner, lease_until, started_at, report)
    values (:name, :place, :owner, clock_timestamp() + make_interval(secs => :lease), clock_timestamp(), :report)
    on conflict (name) do update
       set place = excluded.place, lease_owner = excluded.lease_owner, lease_until = excluded.lease_until,
           started_at = excluded.started_at, report = excluded.report
     where host.place = excluded.place or host.lease_until < clock_timestamp()
    returning 1
""")
_RENEW = text("""
    update runtime.host set lease_until = clock_timestamp() + make_interval(secs => :lease)
     where name = :name and lease_owner = :owner
    returning 1
""")
_GIVE_BACK = text("update runtime.host set lease_until = clock_timestamp() where name = :name and lease_owner = :owner")


@dataclass(frozen=True, slots=True)
class Claim:
    """This process's hold on a host."""

    host: str
    place: str
    owner: UUID


async def take(db: Database, claim: Claim, report: IsolationReport) -> bool:
    """Become the runtime of the host; False while another one is."""
    values = {"name": claim.host, "place": claim.place, "owner": claim.owner}
    async with system_unit_of_work(db) as session:
        taken = await session.scalar(_TAKE, values | {"lease": LEASE_SECONDS, "report": report.model_dump_json()})
    if not taken:
        return False
    identifier = str(claim.owner)
    actor = platform_actor(identifier)
    with enter(WorkContext("runtime", identifier, identifier)):
        async with unit_of_work(db, actor) as session:
            await audit.record(
                session, actor, RUNTIME_STARTED, resource=claim.host, separation=report.separation,
                network=report.network, isolated=report.isolated, warnings="; ".join(report.warnings),
            )  # fmt: skip
    return True


async def renew(db: Database, claim: Claim) -> bool:
    """Keep the hold; False when it is another's."""
    async with system_unit_of_work(db) as session:
        values = {"name": claim.host, "owner": claim.owner, "lease": LEASE_SECONDS}
        return bool(await session.scalar(_RENEW, values))


async def give_back(db: Database, claim: Claim) -> None:
    async with system_unit_of_work(db) as session:
        await session.execute(_GIVE_BACK, {"name": claim.host, "owner": claim.owner})


async def isolation_report(db: Database) -> list[HostReport]:
    """What each living runtime found; empty when there is none."""
    living = select(HostRow).where(HostRow.lease_until > func.clock_timestamp()).order_by(HostRow.name)
    async with system_unit_of_work(db) as session:
        rows = (await session.scalars(living)).all()
    return [
        HostReport(
            host=row.name,
            started_at=row.started_at,
            **IsolationReport.model_validate_json(row.report).model_dump(),
        )
        for row in rows
    ]
