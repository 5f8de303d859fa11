"""Asking the runtime for instances, and looking at what became of them."""

from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from promptcraft.app.up.processes import identify
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.tables import AuditEventRow
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.runtime import Instance, InstanceDesired, desire, instance, undesire, wait_until_healthy
from tests.runtime.programs import SERVER, python, spec_of


def desired(directory: Path, source: str = SERVER, **changes: Any) -> InstanceDesired:
    spec = spec_of(directory, source)
    values = {
        "name": "tax_advisor",
        "version": "1",
        "code": spec.code,
        "python": spec.environment,
        "argv": (python(), "main.py"),
        "limits": spec.limits,
    }
    return InstanceDesired.model_validate(values | changes)


async def ask_for(db: Database, actor: Actor, wanted: InstanceDesired) -> Instance:
    async with unit_of_work(db, actor) as session:
        return await desire(session, actor, wanted)


async def ask_away(db: Database, actor: Actor, found: Instance) -> None:
    async with unit_of_work(db, actor) as session:
        await undesire(session, actor, found.id)


async def look_at(db: Database, actor: Actor, found: Instance) -> Instance:
    async with unit_of_work(db, actor) as session:
        return await instance(session, actor, found.id)


async def started(db: Database, actor: Actor, wanted: InstanceDesired) -> Instance:
    return await wait_until_healthy(db, actor, (await ask_for(db, actor, wanted)).id, 30)


async def answer(found: Instance) -> dict[str, Any]:
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(found.socket))) as client:
        return (await client.get("http://localhost/health")).json()


async def events_of(db: Database, actor: Actor) -> list[int]:
    async with unit_of_work(db, actor) as session:
        ids = select(AuditEventRow.catalogue_id).where(AuditEventRow.org_id == actor.org_id)
        return list(await session.scalars(ids.order_by(AuditEventRow.event_id)))


def alive(pid: int | None) -> bool:
    return pid is not None and identify(pid) is not None


async def none_alive(pids: list[int | None]) -> bool:
    return not any(alive(pid) for pid in pids)
