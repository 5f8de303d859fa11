"""What other contexts ask of runtime: run this, run it no longer, how is it, what did it print."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.runtime import INSTANCE_DESIRED, INSTANCE_UNDESIRED
from promptcraft.kernel.db import Database, Wakeup, unit_of_work, wake_after_commit
from promptcraft.runtime.clients import RuntimeDriver
from promptcraft.runtime.errors import InstanceFailed, InstanceNotFound, InstanceNotHealthy
from promptcraft.runtime.schemas import Environment, Instance, InstanceDesired
from promptcraft.runtime.tables import InstanceRow

WAKEUP = Wakeup("runtime")
_LOOK_SECONDS = 0.1
_ENDED = ("failed", "stopped")
T = TypeVar("T")
# Every query asks this: plain text spares it the mapping.
_HEALTHY_SOCKETS = text("""
    select id, socket from runtime.instance where org_id = :org_id and observed = 'healthy' and socket is not null
""")


async def desire(session: AsyncSession, actor: Actor, desired: InstanceDesired) -> Instance:
    """Want this version to run in its environment; the host's runtime starts it once the transaction is committed.

    The same name, version and environment are one instance, however often it is asked for: what is different is
    changed, and restarts it, as asking again starts one that failed or stopped.
    """
    key = {"name": desired.name, "version": desired.version, "environment": desired.environment}
    row = await session.scalar(select(InstanceRow).filter_by(org_id=actor.org_id, **key).with_for_update())
    wanted = _columns(desired) | {"desired": "running"}
    if row is None:
        row = InstanceRow(org_id=actor.org_id, **key, **wanted, generation=1, created_at=clock.now())
        session.add(row)
    elif row.observed in _ENDED or any(getattr(row, column) != value for column, value in wanted.items()):
        for column, value in wanted.items():
            setattr(row, column, value)
        row.generation += 1
        row.observed = "pending"
        row.last_error = None
    else:
        return Instance.model_validate(row)
    await session.flush()
    await audit.record(
        session, actor, INSTANCE_DESIRED, resource=row.id, agent=row.name,
        version=row.version, environment=row.environment, restart_policy=row.restart_policy,
    )  # fmt: skip
    wake_after_commit(session, WAKEUP)
    return Instance.model_validate(row)


async def undesire(session: AsyncSession, actor: Actor, instance_id: UUID) -> None:
    """Want it no longer: its host's runtime stops it and clears everything of it away. One that is gone is no error."""
    row = await session.get(InstanceRow, (actor.org_id, instance_id), with_for_update=True)
    if row is None or row.desired == "removed":
        return
    row.desired = "removed"
    row.generation += 1
    await audit.record(
        session, actor, INSTANCE_UNDESIRED, resource=row.id, agent=row.name,
        version=row.version, environment=row.environment,
    )  # fmt: skip
    wake_after_commit(session, WAKEUP)


async def instances(
    session: AsyncSession,
    actor: Actor,
    *,
    name: str | None = None,
    version: str | None = None,
    environment: Environment | None = None,
) -> list[Instance]:
    """The organisation's instances, oldest first, those on their way out too."""
    chosen = {"name": name, "version": version, "environment": environment}
    query = select(InstanceRow).filter_by(org_id=actor.org_id, **{k: v for k, v in chosen.items() if v is not None})
    return [Instance.model_validate(row) for row in await session.scalars(query.order_by(InstanceRow.id))]


async def healthy_sockets(session: AsyncSession, actor: Actor) -> dict[UUID, str]:
    """Where each of the organisation's instances that is healthy answers, by its id."""
    rows = await session.execute(_HEALTHY_SOCKETS, {"org_id": actor.org_id})
    return {row.id: row.socket for row in rows}


async def instance(session: AsyncSession, actor: Actor, instance_id: UUID) -> Instance:
    """One instance. Raises InstanceNotFound, also for another organisation's."""
    row = await session.get(InstanceRow, (actor.org_id, instance_id))
    if row is None:
        raise InstanceNotFound
    return Instance.model_validate(row)


async def wait_until_healthy(db: Database, actor: Actor, instance_id: UUID, timeout_seconds: float) -> Instance:
    """The instance, once it answers; call it with no transaction open.

    Raises InstanceFailed with the reason as soon as it has failed, InstanceNotHealthy at the time limit,
    InstanceNotFound where it is gone.
    """

    async def healthy() -> Instance | None:
        async with unit_of_work(db, actor) as session:
            found = await instance(session, actor, instance_id)
        if found.observed in _ENDED:
            raise InstanceFailed(f"{found.name} {found.version} does not run: {found.last_error or 'it ended'}")
        return found if found.observed == "healthy" else None

    return await _within(timeout_seconds, healthy, "it did not answer on its socket")


async def wait_until_gone(db: Database, actor: Actor, instance_id: UUID, timeout_seconds: float) -> None:
    """Return when nothing is left of an instance that nobody wants. Raises InstanceNotHealthy at the time limit."""

    async def gone() -> bool:
        async with unit_of_work(db, actor) as session:
            return await session.get(InstanceRow, (actor.org_id, instance_id)) is None

    await _within(timeout_seconds, gone, "its runtime has not cleared it away")


async def logs(db: Database, actor: Actor, driver: RuntimeDriver, instance_id: UUID, lines: int) -> list[str]:
    """The last lines that an instance printed, oldest first. Raises InstanceNotFound."""
    async with unit_of_work(db, actor) as session:
        found = await instance(session, actor, instance_id)
    return await driver.logs(found.id, lines)


async def _within(seconds: float, look: Callable[[], Awaitable[T | None]], otherwise: str) -> T:
    try:
        async with asyncio.timeout(seconds):
            while not (found := await look()):  # noqa: ASYNC110 -- it happens in another process
                await asyncio.sleep(_LOOK_SECONDS)
            return found
    except TimeoutError:
        raise InstanceNotHealthy(f"After {seconds:g} s {otherwise}.") from None


def _columns(desired: InstanceDesired) -> dict[str, str | bool]:
    return {
        "code": str(desired.code),
        "python": str(desired.python),
        "argv": json.dumps(desired.argv),
        "variables": json.dumps(dict(desired.variables), sort_keys=True),
        "limits": desired.limits.model_dump_json(),
        "restart_policy": desired.restart_policy,
        "trusted_template": desired.trusted_template,
    }
