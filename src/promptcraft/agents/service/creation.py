"""Asking for an agent, and what became of it."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents.errors import (
    AgentBusy,
    AgentExists,
    AgentNotFound,
    CreationNotFound,
    CreationOver,
    DeploymentNotFound,
    SpecNotUsable,
)
from promptcraft.agents.schemas import (
    AgentCreate,
    CreationAccepted,
    CreationEnvelope,
    DeploymentAccepted,
    DeployRequest,
    Order,
    Progress,
)
from promptcraft.agents.service.admission import admit, limits_of
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.indexing import want_vectors
from promptcraft.agents.service.pipeline import BUILD_STEPS, DEPLOY_STEPS
from promptcraft.agents.service.sources import first_refresh
from promptcraft.agents.tables import AgentRow, RefreshRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.agents import (
    CREATION_CANCELLED,
    CREATION_FAILED,
    CREATION_REQUESTED,
    CREATION_UNDONE,
    DEPLOYMENT_FAILED,
    DEPLOYMENT_REQUESTED,
)
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.errors import FieldProblem, Forbidden
from promptcraft.kernel.happenings import Happening
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import JobState, JobView, cancel_job, enqueue, job_view, median_duration
from promptcraft.kernel.permissions import Permission
from promptcraft.runtime import Environment, instances

_PLANNED = [
    "Generate agent code from template",
    "Create knowledge base schema",
    "Build and test the agent in isolation",
]
_PLANNED_DEPLOYMENT = ["Deploy to target environment", "Register with Zen orchestrator"]


async def create_agent(session: AsyncSession, actor: Actor, factory: Factory, request: AgentCreate) -> CreationEnvelope:
    """Admit the spec and start its pipeline.

    Raises SpecNotUsable with every problem, AgentExists.
    """
    spec, config = request.agent_spec, request.deployment_config
    name = spec.name
    warnings = await admit(session, actor, factory, request)
    memory, cpus = limits_of(config.resource_limits, factory)
    order = Order(
        agent_id=new_id(), version=1, spec=spec, environment=config.environment, memory_bytes=memory,
        cpus=float(cpus), requested_at=clock.now(), deploys=config.auto_deploy,
    )  # fmt: skip
    row = {
        "org_id": actor.org_id, "id": order.agent_id, "name": name, "domain": spec.domain, "stage": "building",
        "version": 1, "order": order.model_dump_json(), "created_by": actor.user_id, "created_at": order.requested_at,
    }  # fmt: skip
    new = insert(AgentRow).values(row).on_conflict_do_nothing(constraint="agent_org_id_name_key")
    if await session.scalar(new.returning(AgentRow.id)) is None:
        raise AgentExists(f"There is an agent {name} already.")
    if (due := first_refresh(spec, order.requested_at)) is not None:
        session.add(RefreshRow(org_id=actor.org_id, agent_id=order.agent_id, due_at=due))
    estimate = await _estimate(session, actor)
    steps = BUILD_STEPS + DEPLOY_STEPS if order.deploys else BUILD_STEPS
    job_id = await enqueue(session, actor, Order.CREATE, order, steps, warnings=warnings)
    await audit.record(
        session, actor, CREATION_REQUESTED, resource=name, agent=name, creation=job_id, domain=spec.domain,
        environment=order.environment, auto_deploy=order.deploys,
    )  # fmt: skip
    accepted = CreationAccepted(
        creation_id=job_id,
        estimated_duration_minutes=estimate,
        agent_name=name,
        repository_url=repository_url(name),
        progress_endpoint=f"/api/v4/admin/agents/creation/{job_id}/status",
    )
    deployment = _PLANNED_DEPLOYMENT if order.deploys else [f"Deploy it with `pc-hybrid agent deploy {name}`"]
    return CreationEnvelope(data=accepted, next_steps=[*_PLANNED, *deployment])


async def deploy_agent(session: AsyncSession, actor: Actor, name: str, request: DeployRequest) -> DeploymentAccepted:
    """Start the newest version of an agent in an environment.

    Raises AgentNotFound, AgentBusy, SpecNotUsable where the body names another agent.
    """
    if request.agent_name != name:
        what = f"must be {name}, as in the path"
        raise SpecNotUsable("The path and the body name two agents.", errors=[FieldProblem("/agent_name", what)])
    row = await idle_agent(session, actor, name)
    order = Order.model_validate_json(row.order).model_copy(
        update={
            "environment": request.environment,
            "restart_policy": request.restart_policy,
            "version": row.version,
        }
    )
    job_id = await _deploy(session, actor, row, order)
    return DeploymentAccepted(
        deployment_id=job_id,
        agent_name=name,
        environment=order.environment,
        progress_endpoint=f"/api/v4/admin/agents/deployments/{job_id}",
    )


async def roll_out(
    session: AsyncSession, actor: Actor, row: AgentRow, order: Order, environments: tuple[Environment, ...]
) -> None:
    """Deploy a version to the environments, one after the other; where one fails, the rest keep what they have."""
    running = await instances(session, actor, name=row.name, environment=environments[0])
    kept = next((one.restart_policy for one in running if one.desired == "running"), order.restart_policy)
    here = {"environment": environments[0], "further": environments[1:], "restart_policy": kept}
    await _deploy(session, actor, row, order.model_copy(update=here))


async def _deploy(session: AsyncSession, actor: Actor, row: AgentRow, order: Order) -> UUID:
    running = await instances(session, actor, name=row.name, version=str(order.version), environment=order.environment)
    order = order.model_copy(
        update={
            "requested_at": clock.now(),
            "deploys": True,
            "redeploys": any(one.desired == "running" for one in running),
        }
    )
    row.stage = "deploying"
    job_id = await enqueue(session, actor, Order.DEPLOY, order, DEPLOY_STEPS)
    await audit.record(
        session, actor, DEPLOYMENT_REQUESTED, resource=row.name, agent=row.name, deployment=job_id,
        environment=order.environment, restart_policy=order.restart_policy,
    )  # fmt: skip
    return job_id


async def creation_progress(session: AsyncSession, actor: Actor, creation_id: UUID) -> Progress:
    """How far a creation is. Raises CreationNotFound, also for another organisation's."""
    return _progress(await _creation(session, actor, creation_id))


async def deployment_progress(session: AsyncSession, actor: Actor, deployment_id: UUID) -> Progress:
    """How far a deployment is. Raises DeploymentNotFound, also for another organisation's."""
    return _progress(await _deployment(session, actor, deployment_id))


async def creation_happening(db: Database, actor: Actor, creation_id: UUID) -> Happening:
    """What is newest of a creation. Raises CreationNotFound, also for another organisation's."""
    async with unit_of_work(db, actor) as session:
        return _happening(await _creation(session, actor, creation_id))


async def deployment_happening(db: Database, actor: Actor, deployment_id: UUID) -> Happening:
    """What is newest of a deployment. Raises DeploymentNotFound, also for another organisation's."""
    async with unit_of_work(db, actor) as session:
        return _happening(await _deployment(session, actor, deployment_id))


async def cancel_creation(session: AsyncSession, actor: Actor, creation_id: UUID) -> Progress:
    """Have a creation undone instead of finished: the actor's own, or anybody's where they may delete agents.

    One that is cancelled already stays so. Raises CreationNotFound, also for another organisation's; Forbidden;
    CreationOver where it has ended, or failed and is being undone.
    """
    job = await _creation(session, actor, creation_id)
    if job.user_id != actor.user_id and not actor.may(Permission.AGENT_DELETE):
        raise Forbidden(f"It is somebody else's: this needs the permission {Permission.AGENT_DELETE}.")
    if await cancel_job(session, actor, creation_id):
        name = Order.model_validate_json(job.payload).spec.name
        await audit.record(session, actor, CREATION_CANCELLED, resource=name, agent=name, creation=creation_id)
    job = await _creation(session, actor, creation_id)
    if job.state not in (JobState.CANCELLING, JobState.CANCELLED):
        raise CreationOver(f"It is {_progress(job).status}.")
    return _progress(job)


async def creation_ended(session: AsyncSession, actor: Actor, job: JobView) -> None:
    """Make the end of a creation true: a built or deployed agent, or nothing but the record of why."""
    order = Order.model_validate_json(job.payload)
    agent = await session.get(AgentRow, (actor.org_id, order.agent_id), with_for_update=True)
    if job.state is JobState.COMPLETED:
        if agent is not None:
            agent.stage = agent.stage if order.deploys else "built"
            await want_vectors(session, actor, order)
        return
    if agent is not None:
        await session.delete(agent)
    if job.state is JobState.CANCELLED:
        name = order.spec.name
        await audit.record(session, actor, CREATION_UNDONE, resource=name, agent=name, creation=job.id)
        return
    await audit.record(
        session, actor, CREATION_FAILED, resource=order.spec.name, agent=order.spec.name, creation=job.id,
        phase=job.phase, reason=job.error, error=job.error,
    )  # fmt: skip


async def deployment_ended(session: AsyncSession, actor: Actor, job: JobView) -> None:
    """Make the end of a deployment true; after a failed one the agent is as it was before."""
    order = Order.model_validate_json(job.payload)
    agent = await session.get(AgentRow, (actor.org_id, order.agent_id), with_for_update=True)
    if job.state is JobState.COMPLETED:
        if agent is not None and order.further:
            await roll_out(session, actor, agent, order, order.further)
        return
    if agent is not None:
        agent.stage = "built"
    await audit.record(
        session, actor, DEPLOYMENT_FAILED, resource=order.spec.name, agent=order.spec.name, deployment=job.id,
        environment=order.environment, phase=job.phase, reason=job.error, error=job.error,
    )  # fmt: skip


def repository_url(name: str) -> str:
    """Where the repository leaves the platform, as a git bundle."""
    return f"/api/v4/admin/agents/{name}/repository"


async def idle_agent(session: AsyncSession, actor: Actor, name: str) -> AgentRow:
    """The agent, locked. Raises AgentNotFound, also for another organisation's; AgentBusy while it is worked on."""
    found = select(AgentRow).where(AgentRow.org_id == actor.org_id, AgentRow.name == name).with_for_update()
    row = await session.scalar(found)
    if row is None:
        raise AgentNotFound(f"There is no agent {name}.")
    if row.stage in ("building", "revising", "deploying"):
        raise AgentBusy(f"{name} is {row.stage}.")
    return row


async def _estimate(session: AsyncSession, actor: Actor) -> float | None:
    seconds = await median_duration(session, actor.org_id, Order.CREATE)
    return None if seconds is None else round(seconds / 60, 3)


async def _creation(session: AsyncSession, actor: Actor, creation_id: UUID) -> JobView:
    job = await job_view(session, actor.org_id, creation_id)
    if job is None or job.kind != Order.CREATE:
        raise CreationNotFound
    return job


async def _deployment(session: AsyncSession, actor: Actor, deployment_id: UUID) -> JobView:
    job = await job_view(session, actor.org_id, deployment_id)
    if job is None or job.kind != Order.DEPLOY:
        raise DeploymentNotFound
    return job


def _happening(job: JobView) -> Happening:
    return Happening(job.revision, _progress(job), ended=job.finished_at is not None)


def _progress(job: JobView) -> Progress:
    order = Order.model_validate_json(job.payload)
    name = order.spec.name
    if order.deploys:
        return progress_of(job, name, "deployed", 'Ask it: pc-hybrid ask "..."')
    return progress_of(job, name, "built", f"Deploy it: pc-hybrid agent deploy {name}")


def progress_of(job: JobView, name: str, outcome: str, next_step: str | None) -> Progress:
    """A job as people see it; `outcome` and `next_step` are what it comes to once it is completed."""
    completed = job.state is JobState.COMPLETED
    # What is being undone is still running for whoever waits: the end is when nothing is left behind.
    undoing = job.state in (JobState.COMPENSATING, JobState.CANCELLING)
    status = "running" if undoing else job.state.value
    return Progress(
        agent_name=name,
        status=status,  # pyright: ignore[reportArgumentType] -- the states that are left are its values
        phase=outcome if completed else job.phase,
        progress_percentage=job.percentage,
        steps=job.steps,
        warnings=job.warnings,
        error=job.error,
        error_code=job.error_code,
        next_step=next_step if completed else job.next_step,
    )
