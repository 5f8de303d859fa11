"""Asking for an agent's next version: by a push, by a newer template, by sources that are read again."""

import asyncio
import errno
from collections.abc import AsyncIterator
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents.clients import Repository, look_at
from promptcraft.agents.clients.bundle import MOST_SENT
from promptcraft.agents.clients.places import remove
from promptcraft.agents.errors import AgentBusy, AgentNotFound, BundleTooLarge, RevisionNotFound, StorageFull
from promptcraft.agents.schemas import Change, Order, Progress, Revision, RevisionAccepted
from promptcraft.agents.service.creation import idle_agent, progress_of, roll_out
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.indexing import want_vectors
from promptcraft.agents.service.pipeline import MERGE_STEPS, PUSH_STEPS
from promptcraft.agents.service.sources import first_refresh
from promptcraft.agents.service.uploads import receive
from promptcraft.agents.tables import AgentRow, RefreshRow, VersionRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit.catalogue.agents import REVISION_FAILED, UPDATE_REQUESTED, VERSION_PUSHED
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import JobState, JobView, enqueue, job_view
from promptcraft.runtime import ENVIRONMENTS, Environment, instances


async def push_agent(factory: Factory, actor: Actor, name: str, body: AsyncIterator[bytes]) -> RevisionAccepted:
    """Take in a bundle whose main goes on from the agent's, and have its next version made of it.

    Raises AgentNotFound, AgentBusy, BundleNotUsable, BundleTooLarge, NotFastForward, StorageFull; nothing is kept then.
    """
    async with unit_of_work(factory.db, actor) as session:
        agent_id = (await _with_version(session, actor, name)).id
    known = factory.places.repository(actor.org_id, agent_id)
    tip = await Repository(known, factory.git_author).tip()
    job_id = new_id()
    workspace, incoming = factory.places.workspace(job_id), factory.places.incoming(job_id)
    try:
        await asyncio.to_thread(incoming.mkdir, parents=True)
        await receive(body, incoming / "bundle", MOST_SENT, BundleTooLarge)
        await look_at(incoming / "bundle", incoming / "pushed.git", known, tip)
        await asyncio.to_thread(workspace.mkdir, parents=True)
        await asyncio.to_thread((incoming / "pushed.git").rename, workspace / "pushed.git")
        async with unit_of_work(factory.db, actor) as session:
            row = await _with_version(session, actor, name)
            accepted = await _revise(session, actor, row, "push", job_id=job_id)
            await audit.record(session, actor, VERSION_PUSHED, resource=name, agent=name, revision=job_id)
        return accepted
    except BaseException as error:
        await asyncio.to_thread(remove, workspace)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise
    finally:
        await asyncio.to_thread(remove, incoming)


async def update_agent(session: AsyncSession, actor: Actor, name: str) -> RevisionAccepted:
    """Have the newest template merged into the agent. Raises AgentNotFound, AgentBusy."""
    row = await _with_version(session, actor, name)
    accepted = await _revise(session, actor, row, "template")
    await audit.record(
        session, actor, UPDATE_REQUESTED, resource=name, agent=name, revision=accepted.revision_id, change="template"
    )
    return accepted


async def revision_progress(session: AsyncSession, actor: Actor, revision_id: UUID) -> Progress:
    """How far a revision is. Raises RevisionNotFound, also for another organisation's."""
    job = await job_view(session, actor.org_id, revision_id)
    if job is None or job.kind != Revision.KIND:
        raise RevisionNotFound
    order = Revision.model_validate_json(job.payload).order
    made = await session.get(VersionRow, (actor.org_id, order.agent_id, order.version))
    outcome = ("built", f"Deploy it: pc-hybrid agent deploy {order.spec.name}") if made else ("unchanged", None)
    return progress_of(job, order.spec.name, *outcome)


async def revision_ended(session: AsyncSession, actor: Actor, job: JobView) -> None:
    """Make the end of a revision true; after a failed one the agent is as it was before."""
    revision = Revision.model_validate_json(job.payload)
    order = revision.order
    row = await session.get(AgentRow, (actor.org_id, order.agent_id), with_for_update=True)
    if row is not None:
        row.stage = revision.stage
    if job.state is JobState.FAILED:
        await audit.record(
            session, actor, REVISION_FAILED, resource=order.spec.name, agent=order.spec.name, revision=job.id,
            change=revision.change, phase=job.phase, reason=job.error, error=job.error,
        )  # fmt: skip
    elif row is not None and row.version == order.version:
        await want_vectors(session, actor, order)
        if revision.environments:
            await roll_out(session, actor, row, order, revision.environments)


async def refresh_knowledge(db: Database) -> None:
    """Have the sources read again of every agent that is due; those being worked on are looked at the next time."""
    async with system_unit_of_work(db) as session:
        due = await session.execute(
            select(RefreshRow.org_id, RefreshRow.agent_id)
            .where(RefreshRow.due_at <= func.now())
            .order_by(RefreshRow.due_at)
        )
        found = [(row.org_id, row.agent_id) for row in due]
    for org_id, agent_id in found:
        actor = platform_actor(org_id=org_id)
        async with unit_of_work(db, actor) as session:
            await _refresh(session, actor, agent_id)


async def _refresh(session: AsyncSession, actor: Actor, agent_id: UUID) -> None:
    refresh = await session.get(RefreshRow, (actor.org_id, agent_id), with_for_update=True)
    row = await session.get(AgentRow, (actor.org_id, agent_id), with_for_update=True)
    if refresh is None or row is None or row.stage not in ("built", "deployed") or refresh.due_at > clock.now():
        return
    running = [one for one in await instances(session, actor, name=row.name) if one.desired == "running"]
    wanted: set[Environment] = {one.environment for one in running}
    # The one that counts least goes first: what does not start there does not get further.
    order = tuple(sorted(wanted, key=ENVIRONMENTS.index, reverse=True))
    accepted = await _revise(session, actor, row, "knowledge", environments=order)
    refresh.due_at = first_refresh(Order.model_validate_json(row.order).spec, clock.now()) or refresh.due_at
    await audit.record(
        session, actor, UPDATE_REQUESTED, resource=row.name, agent=row.name, revision=accepted.revision_id,
        change="knowledge",
    )  # fmt: skip


async def _with_version(session: AsyncSession, actor: Actor, name: str) -> AgentRow:
    row = await idle_agent(session, actor, name)
    if await session.get(VersionRow, (actor.org_id, row.id, row.version)) is None:
        raise AgentBusy(f"{name} is {row.stage}: there is nothing to go on from yet.")
    return row


async def _revise(
    session: AsyncSession,
    actor: Actor,
    row: AgentRow,
    change: Change,
    *,
    job_id: UUID | None = None,
    environments: tuple[Environment, ...] = (),
) -> RevisionAccepted:
    version = await session.get(VersionRow, (actor.org_id, row.id, row.version))
    if version is None:
        raise AgentNotFound
    now = clock.now()
    order = Order.model_validate_json(row.order).model_copy(update={"version": row.version + 1, "requested_at": now})
    revision = Revision(
        order=order, change=change, stage=row.stage, edited=change == "push" or version.edited,
        environments=environments, requested_at=now,
    )  # fmt: skip
    row.stage = "revising"
    steps = PUSH_STEPS if change == "push" else MERGE_STEPS
    revision_id = await enqueue(session, actor, Revision.KIND, revision, steps, job_id=job_id)
    return RevisionAccepted(
        revision_id=revision_id,
        agent_name=row.name,
        version=str(order.version),
        progress_endpoint=f"/api/v4/admin/agents/revisions/{revision_id}",
    )
