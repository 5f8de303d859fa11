"""The agents that there are: looking at them, taking their repository home, deleting them."""

import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents.clients import Repository
from promptcraft.agents.clients.places import remove
from promptcraft.agents.errors import AgentBusy, AgentNotFound
from promptcraft.agents.schemas import (
    Agent,
    AgentDetail,
    AgentIndex,
    AgentStatus,
    DeployedInstance,
    Logs,
    Order,
    Removal,
)
from promptcraft.agents.service.creation import idle_agent, repository_url
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.pipeline import REMOVE_STEPS
from promptcraft.agents.tables import AgentRow, VersionRow
from promptcraft.kernel import audit
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.agents import AGENT_DELETED
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.jobs import Retry, StepContext, enqueue
from promptcraft.kernel.pages import Page
from promptcraft.registry import tool_contracts, unregister_server
from promptcraft.runtime import (
    ENVIRONMENTS,
    Environment,
    Instance,
    InstanceNotFound,
    instances,
    isolation_report,
    undesire,
)
from promptcraft.runtime import logs as instance_logs

_STATUS_OF: dict[str, AgentStatus] = {
    "pending": "deploying",
    "starting": "deploying",
    "healthy": "running",
    "unhealthy": "unhealthy",
    "failed": "failed",
    "stopped": "stopped",
}


async def list_agents(
    session: AsyncSession, actor: Actor, page: Page, *, status: AgentStatus | None = None, domain: str | None = None
) -> list[Agent]:
    """The organisation's agents by name; a page holds fewer than its limit where `status` leaves some out."""
    query = select(AgentRow).where(AgentRow.org_id == actor.org_id)
    if domain is not None:
        query = query.where(AgentRow.domain == domain)
    running = await _wanted(session, actor)
    rows = await page.of(session, query, AgentRow.name)
    found = [_agent(row, running.get(row.name, [])) for row in rows]
    return [agent for agent in found if status is None or agent.status == status]


async def show_agent(factory: Factory, actor: Actor, name: str) -> AgentDetail:
    """One agent with its instances and tools. Raises AgentNotFound, also for another organisation's."""
    async with unit_of_work(factory.db, actor) as session:
        found = await _detail(session, actor, name)
    hosts = await isolation_report(factory.db)
    used = {one.host for one in found.instances}
    reports = tuple(host.model_dump(mode="json") for host in hosts if host.host in used)
    return found.model_copy(update={"isolation": reports})


async def _detail(session: AsyncSession, actor: Actor, name: str) -> AgentDetail:
    row = await _row(session, actor, name)
    spec = Order.model_validate_json(row.order).spec
    version = await session.get(VersionRow, (actor.org_id, row.id, row.version))
    running = (await _wanted(session, actor, name)).get(name, [])
    tools = await tool_contracts(session, actor, name, running[0].environment) if running else []
    return AgentDetail(
        **_agent(row, running).model_dump(),
        display_name=spec.display_name,
        description=spec.description,
        keywords=spec.keywords,
        capabilities=spec.capabilities,
        documents=version.documents if version else 0,
        passages=version.passages if version else 0,
        commit=version.commit if version else None,
        index=_index(version) if version else None,
        questions=version.questions if version else 0,
        accuracy=version.answered_right / version.questions if version and version.questions else None,
        edited=version.edited if version else False,
        repository_url=repository_url(name),
        instances=tuple(_instance(one) for one in running),
        tools=tuple(tool.name for tool in tools),
        isolation=(),
    )


async def agent_logs(factory: Factory, actor: Actor, name: str, *, environment: Environment | None, lines: int) -> Logs:
    """What the agent printed last, in the environment that counts most unless one is named. Raises AgentNotFound."""
    async with unit_of_work(factory.db, actor) as session:
        await _row(session, actor, name)
        running = (await _wanted(session, actor, name)).get(name, [])
    chosen = [one for one in running if environment in (None, one.environment)]
    if not chosen:
        return Logs(lines=())
    try:
        return Logs(lines=tuple(await instance_logs(factory.db, actor, factory.commands, chosen[0].id, lines)))
    except InstanceNotFound:
        return Logs(lines=())


async def repository_bundle(factory: Factory, actor: Actor, name: str) -> bytes:
    """The agent's repository as a git bundle. Raises AgentNotFound; AgentBusy while its first version is built."""
    async with unit_of_work(factory.db, actor) as session:
        row = await _row(session, actor, name)
        version = await session.get(VersionRow, (actor.org_id, row.id, row.version))
    if version is None:
        raise AgentBusy(f"{name} is {row.stage}: there is nothing to take home yet.")
    return await Repository(factory.places.repository(actor.org_id, row.id), factory.git_author).bundle()


async def delete_agent(session: AsyncSession, actor: Actor, name: str) -> None:
    """Take the agent out of routing and forget it at once; its processes and files go right after.

    Raises AgentNotFound, also for another organisation's; AgentBusy while it is built or deployed.
    """
    row = await idle_agent(session, actor, name)
    await unregister_server(session, actor, name)
    running = await instances(session, actor, name=name)
    for one in running:
        await undesire(session, actor, one.id)
    await session.delete(row)
    removal = Removal(agent_id=row.id, name=name, instance_ids=tuple(one.id for one in running))
    await enqueue(session, actor, Removal.KIND, removal, REMOVE_STEPS)
    await audit.record(session, actor, AGENT_DELETED, resource=name, agent=name, version=row.version)


async def wait_until_stopped(factory: Factory, step: StepContext) -> None:
    """Files are removed only once nothing runs on them. Raises Retry while something does."""
    removal: Removal = step.payload
    async with step.unit_of_work() as session:
        left = [one for one in await instances(session, step.actor, name=removal.name) if one.desired == "removed"]
    if {one.id for one in left} & set(removal.instance_ids):
        raise Retry("its processes are still being stopped")


async def remove_files(factory: Factory, step: StepContext) -> None:
    """Remove the agent's repository and versions. Raises Retry where the host does not let it."""
    removal: Removal = step.payload
    try:
        await asyncio.to_thread(remove, factory.places.agent(step.actor.org_id, removal.agent_id))
    except OSError as error:
        raise Retry(f"its files cannot be removed: {error}") from error


async def _row(session: AsyncSession, actor: Actor, name: str) -> AgentRow:
    row = await session.scalar(select(AgentRow).where(AgentRow.org_id == actor.org_id, AgentRow.name == name))
    if row is None:
        raise AgentNotFound
    return row


async def _wanted(session: AsyncSession, actor: Actor, name: str | None = None) -> dict[str, list[Instance]]:
    """Instances that shall run, by agent, the environment that counts most first."""
    found: dict[str, list[Instance]] = {}
    wanted = await instances(session, actor, name=name)
    for one in sorted(wanted, key=lambda one: ENVIRONMENTS.index(one.environment)):
        if one.desired == "running":
            found.setdefault(one.name, []).append(one)
    return found


def _agent(row: AgentRow, running: list[Instance]) -> Agent:
    return Agent(
        name=row.name,
        domain=row.domain,
        status=_status(row, running),
        version=str(row.version),
        created_at=row.created_at,
    )


def _status(row: AgentRow, running: list[Instance]) -> AgentStatus:
    if row.stage == "building":
        return "building"
    if row.stage == "deploying":
        return "deploying"
    return _STATUS_OF[running[0].observed] if running else "built"


def _index(version: VersionRow) -> AgentIndex:
    return AgentIndex(version=version.index_version, vectors=version.vectors, commit=version.index_commit)


def _instance(one: Instance) -> DeployedInstance:
    return DeployedInstance(
        environment=one.environment,
        version=one.version,
        status=_STATUS_OF[one.observed],
        restart_policy=one.restart_policy,
        restarts=one.restarts,
        last_error=one.last_error,
        host=one.host,
    )
