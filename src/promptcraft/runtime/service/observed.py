"""What a host's runtime reads of the desired state, and writes of what it sees."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import audit, clock, outbox
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.audit.catalogue.runtime import (
    INSTANCE_ENDED,
    INSTANCE_REMOVED,
    INSTANCE_RUNNING,
    INSTANCE_UNISOLATED,
)
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.telemetry import get_logger
from promptcraft.runtime.schemas import (
    Environment,
    InstanceSpec,
    Limits,
    Observed,
    RestartPolicy,
    RuntimeUsage,
)
from promptcraft.runtime.service.usage import Span
from promptcraft.runtime.tables import HostRow, InstanceRow

_AGAIN_SECONDS = 1.0
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instance as its host's runtime has to make it."""

    org_id: UUID
    id: UUID
    host: str
    generation: int
    observed_generation: int
    removed: bool
    name: str
    version: str
    environment: Environment
    restart_policy: RestartPolicy
    spec: InstanceSpec


@dataclass(frozen=True, slots=True)
class Seen:
    """A change of state, and what is known with it."""

    state: Observed
    socket: Path | None = None
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    reason: str = ""


async def assigned(db: Database, host: str) -> list[Wanted]:
    """Every instance of this host, after taking on those whose host is not decided or has no living runtime."""
    await _take_on(db, host)
    async with system_unit_of_work(db) as session:
        rows = (await session.scalars(select(InstanceRow).where(InstanceRow.host == host))).all()
    return [_wanted(row) for row in rows]


async def begin(db: Database, host: str) -> None:
    """A new runtime begins: nothing of what its predecessor saw is true any longer."""
    async with system_unit_of_work(db) as session:
        nothing = {"observed": "pending", "pid": None, "socket": None}
        await session.execute(update(InstanceRow).where(InstanceRow.host == host).values(**nothing))


async def observe(db: Database, wanted: Wanted, seen: Seen, *, isolated: bool = True) -> None:
    """Write a change of state and, where it is one that counts, its event."""
    now = clock.now()
    values = {
        "observed": seen.state,
        "observed_generation": wanted.generation,
        "socket": None if seen.socket is None else str(seen.socket),
        "pid": seen.pid,
        "restarts": seen.restarts,
        "exit_code": seen.exit_code,
        "last_error": seen.reason or None,
    }
    if seen.state == "starting":
        values |= {"started_at": now, "healthy_at": None}
    elif seen.state == "healthy":
        values |= {"healthy_at": func.coalesce(InstanceRow.healthy_at, now)}

    async def write(session: AsyncSession) -> None:
        row = update(InstanceRow).where(*_same(wanted)).values(**values).returning(InstanceRow.id)
        if await session.scalar(row) is None:
            return  # asked for differently, or of another host, meanwhile: that observation comes with its own start
        await _record(session, wanted, seen, isolated=isolated)

    await _certainly(db, wanted.org_id, write)


async def tell_usage(db: Database, wanted: Wanted, span: Span) -> None:
    """Publish what an instance used; lost if the database is away, as keeping it would cost more than it is worth."""
    fact = RuntimeUsage(
        instance_id=wanted.id,
        agent=wanted.name,
        version=wanted.version,
        environment=wanted.environment,
        since=span.since,
        at=span.at,
        cpu_seconds=span.cpu_seconds,
        gib_seconds=span.gib_seconds,
    )
    try:
        async with unit_of_work(db, platform_actor("runtime", wanted.org_id)) as session:
            await outbox.publish(session, fact)
    except Unavailable:
        _log.warning("usage not told: the database is away", extra={"instance": str(wanted.id)})


async def clear_away(db: Database, wanted: Wanted) -> None:
    """The program and its traces are gone: its row goes too, unless somebody wants it again."""

    async def write(session: AsyncSession) -> None:
        gone = delete(InstanceRow).where(*_same(wanted)).returning(InstanceRow.id)
        if await session.scalar(gone) is not None:
            await audit.record(
                session, platform_actor("runtime", wanted.org_id), INSTANCE_REMOVED, resource=wanted.id,
                agent=wanted.name, version=wanted.version, environment=wanted.environment,
            )  # fmt: skip

    await _certainly(db, wanted.org_id, write)


async def _take_on(db: Database, host: str) -> None:
    living = select(HostRow.name).where(HostRow.lease_until > func.clock_timestamp())
    ownerless = or_(InstanceRow.host.is_(None), and_(InstanceRow.host != host, InstanceRow.host.not_in(living)))
    async with system_unit_of_work(db) as session:
        rows = (await session.scalars(select(InstanceRow).where(ownerless))).all()
    here = await asyncio.to_thread(lambda: [row for row in rows if row.desired == "removed" or Path(row.code).is_dir()])
    if not here:
        return
    async with system_unit_of_work(db) as session:
        for row in here:
            this = (InstanceRow.org_id == row.org_id, InstanceRow.id == row.id)
            await session.execute(update(InstanceRow).where(*this, ownerless).values(host=host))


def _wanted(row: InstanceRow) -> Wanted:
    spec = InstanceSpec.model_validate(
        {
            "instance_id": row.id,
            "name": row.name,
            "code": row.code,
            "environment": row.python,
            "argv": json.loads(row.argv),
            "variables": json.loads(row.variables),
            "limits": Limits.model_validate_json(row.limits),
            "trusted_template": row.trusted_template,
        }
    )
    columns = ("org_id", "id", "host", "generation", "observed_generation")
    columns += ("name", "version", "environment", "restart_policy")
    values = {column: getattr(row, column) for column in columns}
    return Wanted(**values, removed=row.desired == "removed", spec=spec)


def _same(wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    return (
        InstanceRow.org_id == wanted.org_id,
        InstanceRow.id == wanted.id,
        InstanceRow.host == wanted.host,
        InstanceRow.generation == wanted.generation,
    )


async def _record(session: AsyncSession, wanted: Wanted, seen: Seen, *, isolated: bool) -> None:
    actor = platform_actor("runtime", wanted.org_id)
    about: dict[str, Any] = {"agent": wanted.name, "version": wanted.version, "environment": wanted.environment}
    match seen.state:
        case "healthy":
            event = INSTANCE_RUNNING if isolated else INSTANCE_UNISOLATED
            await audit.record(session, actor, event, resource=wanted.id, host=wanted.host, **about)
        case "failed" | "stopped":
            await audit.record(
                session, actor, INSTANCE_ENDED, resource=wanted.id, error=seen.reason, reason=seen.reason, **about
            )
        case _:
            pass


async def _certainly(db: Database, org_id: UUID, write: Callable[[AsyncSession], Awaitable[None]]) -> None:
    """Write until it is written: a database that is away for a while ends no program."""
    while True:
        identifier = str(new_id())
        try:
            with enter(WorkContext("runtime", identifier, identifier)):
                async with unit_of_work(db, platform_actor(identifier, org_id)) as session:
                    await write(session)
        except Unavailable:
            _log.warning("state not written: the database is away")
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return
