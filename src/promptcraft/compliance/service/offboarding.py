"""An organisation leaves: nobody comes in, everything is exported, agents and credentials end, it is closed."""

import asyncio
import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents import AgentBusy, delete_agent, list_agents
from promptcraft.compliance.errors import ExportNotThere, NotBeingOffboarded, NotThisOrganisation
from promptcraft.compliance.schemas import Departure, Export, Offboarding
from promptcraft.compliance.service.departures import Departures
from promptcraft.compliance.service.export import write_export
from promptcraft.gateway import forget_keys
from promptcraft.identity import (
    OrganisationEntry,
    administering,
    begin_closing,
    close_organisation,
    organisation_there,
)
from promptcraft.kernel import audit
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.compliance import (
    EXPORT_FETCHED,
    EXPORT_WRITTEN,
    OFFBOARDING_FAILED,
    OFFBOARDING_REQUESTED,
)
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.errors import FieldProblem
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import JobState, JobView, Retry, StepContext, enqueue, job_view, others_unfinished
from promptcraft.kernel.pages import Page
from promptcraft.orchestrator import running_executions

STEPS = ("quiet", "export", "agents", "close")
_FACTS = text("select count(*) from kernel.outbox where org_id = :org_id and delivered_at is null")
_EXPORT = text("select result from kernel.job_step where org_id = :org_id and job_id = :job_id and name = 'export'")


async def offboard(db: Database, actor: Actor, org_id: UUID, slug: str) -> Offboarding:
    """Begin: from the answer on nobody of the organisation comes in.

    Raises NoSuchOrganisation, NotThisOrganisation, NotYourself, OrganisationClosed, OffboardingUnderWay.
    """
    there = administering(actor, org_id)
    async with unit_of_work(db, there) as session:
        found = await organisation_there(session, there)
        if found.slug != slug:
            problem = FieldProblem("/slug", "is not the short name of this organisation")
            raise NotThisOrganisation(errors=[problem])
        job_id = new_id()
        await begin_closing(session, there, job_id)
        departure = Departure(slug=found.slug, name=found.name)
        await enqueue(session, there, Departure.KIND, departure, STEPS, job_id=job_id)
        await audit.record(session, there, OFFBOARDING_REQUESTED, resource=org_id)
        await session.flush()
        return await _shown(session, there)


async def offboarding(db: Database, actor: Actor, org_id: UUID) -> Offboarding:
    """How far it is. Raises NoSuchOrganisation, NotBeingOffboarded, NotYourself."""
    there = administering(actor, org_id)
    async with unit_of_work(db, there) as session:
        return await _shown(session, there)


async def export_of(departures: Departures, actor: Actor, org_id: UUID) -> tuple[Path, Offboarding, Export]:
    """The export's file; that it is fetched is in the log. Raises ExportNotThere and what `offboarding` raises."""
    there = administering(actor, org_id)
    async with unit_of_work(departures.db, there) as session:
        shown = await _shown(session, there)
        file = departures.export(org_id, shown.offboarding_id)
        if shown.export is None or not await asyncio.to_thread(file.is_file):
            raise ExportNotThere
        await audit.record(session, there, EXPORT_FETCHED, resource=org_id, sha256=shown.export.sha256)
    return file, shown, shown.export


async def quiet(step: StepContext) -> None:
    """Wait for what had begun: an export before its end would lack it. Raises Retry meanwhile."""
    async with step.unit_of_work() as session:
        jobs = await others_unfinished(session, step.actor.org_id, step.job_id)
        executions = await running_executions(session, step.actor)
        facts = await session.scalar(_FACTS, {"org_id": step.actor.org_id}) or 0
    if jobs or executions or facts:
        raise Retry(f"{jobs} jobs, {executions} executions and {facts} facts are on their way yet")


async def export(departures: Departures, step: StepContext) -> dict[str, Any]:
    """Write everything that the organisation has."""
    written = await write_export(departures, step)
    async with step.unit_of_work() as session:
        await audit.record(
            session, step.actor, EXPORT_WRITTEN, resource=step.actor.org_id, sha256=written.sha256, bytes=written.bytes
        )
    return written.model_dump(mode="json")


async def drop_export(departures: Departures, step: StepContext) -> None:
    """Remove what an export that failed has left; one that is whole stays."""
    room = departures.room(step.actor.org_id, step.job_id)
    await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)


async def end_agents(step: StepContext) -> None:
    """Delete every agent, and wait until none runs. Raises Retry meanwhile."""
    async with step.unit_of_work() as session:
        for agent in await list_agents(session, step.actor, Page()):
            try:
                await delete_agent(session, step.actor, agent.name)
            except AgentBusy as busy:
                raise Retry(busy.detail) from busy
    async with step.unit_of_work() as session:
        if await others_unfinished(session, step.actor.org_id, step.job_id):
            raise Retry("its agents are still being stopped")


async def close(step: StepContext) -> None:
    """End what lets in, and the keys of providers; the organisation is closed."""
    async with step.unit_of_work() as session:
        await forget_keys(session, step.actor)
        await close_organisation(session, step.actor)


async def ended(session: AsyncSession, actor: Actor, job: JobView) -> None:
    """One that failed says so in the log; the organisation stays shut until it is resumed or offboarded again."""
    if job.state == JobState.FAILED:
        await audit.record(session, actor, OFFBOARDING_FAILED, resource=actor.org_id, error=(job.error or "")[:500])


async def _shown(session: AsyncSession, actor: Actor) -> Offboarding:
    found: OrganisationEntry = await organisation_there(session, actor)
    job = await job_view(session, actor.org_id, found.offboarding_id) if found.offboarding_id else None
    if job is None:
        raise NotBeingOffboarded
    result = await session.scalar(_EXPORT, {"org_id": actor.org_id, "job_id": job.id})
    return Offboarding(
        offboarding_id=job.id,
        organization_id=actor.org_id,
        slug=found.slug,
        status=job.state,
        phase=job.phase,
        steps=job.steps,
        export=Export.model_validate_json(result) if result else None,
        error=job.error,
        next_step=job.next_step,
        created_at=job.created_at,
        closed_at=found.closed_at,
    )
