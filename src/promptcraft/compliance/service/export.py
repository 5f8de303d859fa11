"""Everything of an organisation as files: a line of JSON for each row, a git bundle for each agent, and a manifest.

Secrets are left out: hashes of passwords and keys, sealed keys of providers. What was sealed of events is opened.
"""

import asyncio
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents import AgentBusy, list_agents, repository_bundle
from promptcraft.audit import all_events
from promptcraft.compliance.schemas import Departure, Export
from promptcraft.compliance.service.departures import Departures
from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.jobs import StepContext
from promptcraft.kernel.pages import Page

# The tables with an organisation's rows, and the columns of each that stay here.
EXPORTED: dict[str, tuple[str, ...]] = {
    "identity.organisation": (),
    "identity.user_account": (),
    "identity.user_group": (),
    "identity.group_member": (),
    "identity.role_binding": (),
    "identity.session": (),
    "identity.api_key": ("hash",),
    "agents.agent": (),
    "agents.version": (),
    "agents.upload": (),
    "registry.server": (),
    "registry.tool": (),
    "runtime.instance": (),
    "orchestrator.conversation": (),
    "orchestrator.workflow_executions": (),
    "orchestrator.execution_text": (),
    "orchestrator.feedback": (),
    "gateway.provider": ("sealed_key",),
    "gateway.policy": (),
    "gateway.model_call": (),
    "analytics.execution_fact": (),
    "analytics.execution_rating": (),
    "analytics.runtime_usage": (),
    "analytics.agent_evaluation": (),
    "analytics.model_call_fact": (),
}
# The others, and why each is not in an export.
LEFT_OUT = {
    "audit.event": "in audit/events.ndjson, its sealed fields opened",
    "identity.password": "a secret",
    "identity.session_credential": "a secret",
    "identity.second_factor": "a secret",
    "identity.recovery_code": "a secret",
    "identity.invitation": "a secret",
    "identity.revocation": "tells processes what to forget for an hour",
    "identity.signing_key": "the platform's own",
    "agents.refresh": "when sources are read next",
    "kernel.idempotency_key": "what requests of the last day were answered, sealed",
    "kernel.job": "how background work went; what came of it is in the tables of the work",
    "kernel.job_step": "likewise",
    "kernel.outbox": "facts on their way to the tables of analytics",
    "registry.revision": "a counter that tells caches to look again",
}
_PIECE = 500
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_BLOCK = 1 << 20


async def write_export(departures: Departures, step: StepContext) -> Export:
    """Write the export anew, whole or not at all. Raises OSError where there is no room for it."""
    actor, departure = step.actor, Departure.model_validate(step.payload)
    room = departures.room(actor.org_id, step.job_id)
    await asyncio.to_thread(_clear, room)
    async with unit_of_work(departures.db, actor) as session:
        for table, secret in EXPORTED.items():
            await _write(room / "tables" / f"{table}.ndjson", _rows(session, table, secret))
        await _write(room / "audit" / "events.ndjson", _events(session, actor))
        names = [agent.name for agent in await list_agents(session, actor, Page())]
        specs = text("""select name, "order"::jsonb -> 'spec' as spec from agents.agent where org_id = :org_id""")
        for name, spec in (await session.execute(specs, {"org_id": actor.org_id})).all():
            await _write(room / "agents" / name / "spec.json", _of([json.dumps(spec, ensure_ascii=False, indent=2)]))
    without = [name for name in names if not await _write_repository(departures, actor, room, name)]
    about = {
        "format": 1,
        "organization": {"id": str(actor.org_id), "slug": departure.slug, "name": departure.name},
        "left_out": LEFT_OUT,
        "agents_without_repository": without,
    }
    return await asyncio.to_thread(_pack, room, departures.export(actor.org_id, step.job_id), about)


async def _rows(session: AsyncSession, table: str, secret: tuple[str, ...]) -> AsyncIterator[str]:
    columns = "to_jsonb(t)" + "".join(f" - '{column}'" for column in secret)
    rows = text(f"select ({columns})::text from {table} t where t.org_id = :org_id")  # noqa: S608  names of ours
    org_id = session.info["org_id"]
    async for row in await session.stream_scalars(rows, {"org_id": org_id}, execution_options={"yield_per": _PIECE}):
        yield str(row)


async def _events(session: AsyncSession, actor: Actor) -> AsyncIterator[str]:
    async for event in all_events(session, actor):
        yield event.model_dump_json()


async def _of(lines: Iterable[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line


async def _write(file: Path, lines: AsyncIterator[str]) -> None:
    """Off the event loop, piece by piece: the job's lease is renewed there meanwhile."""
    await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
    piece: list[str] = []
    handle = await asyncio.to_thread(file.open, "w", encoding="utf-8")
    try:
        async for line in lines:
            piece.append(f"{line}\n")
            if len(piece) == _PIECE:
                await asyncio.to_thread(handle.writelines, piece)
                piece = []
        await asyncio.to_thread(handle.writelines, piece)
    finally:
        await asyncio.to_thread(handle.close)


async def _write_repository(departures: Departures, actor: Actor, room: Path, name: str) -> bool:
    """Whether there is one: an agent whose first version never was has none."""
    try:
        bundle = await repository_bundle(departures.factory, actor, name)
    except AgentBusy:
        return False
    await asyncio.to_thread((room / "agents" / name / "repository.bundle").write_bytes, bundle)
    return True


def _clear(room: Path) -> None:
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True, mode=0o700)
    room.parent.chmod(0o700)


def _pack(room: Path, target: Path, about: Mapping[str, object]) -> Export:
    files = sorted(path for path in room.rglob("*") if path.is_file())
    written_at = clock.now()
    sums = {
        path.relative_to(room).as_posix(): {"sha256": _sha256(path), "bytes": path.stat().st_size} for path in files
    }
    manifest = {**about, "written_at": written_at.isoformat(), "files": sums}
    partial = target.with_suffix(".partial")
    with (
        os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(zipfile.ZipInfo("manifest.json", _ZIP_EPOCH), json.dumps(manifest, indent=2))
        for path in files:
            archive.write(path, path.relative_to(room).as_posix())
        archive.close()
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)
    shutil.rmtree(room)
    return Export(sha256=_sha256(target), bytes=target.stat().st_size, files=len(files) + 1, written_at=written_at)


def _sha256(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest()
