"""The steps from a spec to a repository. Each does its work anew when it is run again, under names made of ids."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

from promptcraft.agents.clients import Repository, tree_sha256
from promptcraft.agents.clients.places import open_to_agents, remove
from promptcraft.agents.errors import AgentNotFound, KnowledgeNotUsable, SpecNotUsable
from promptcraft.agents.schemas import Order
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.gate import Candidate, pass_gate
from promptcraft.agents.service.render import index_knowledge, render_repository, write_tests
from promptcraft.agents.service.sources import gather
from promptcraft.agents.tables import AgentRow, VersionRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.audit.catalogue.agents import AGENT_BUILT
from promptcraft.kernel.jobs import StepContext
from promptcraft_sdk.configuration import AgentConfig
from promptcraft_sdk.configuration import KnowledgeSource as ConfiguredSource
from promptcraft_sdk.knowledge import KnowledgeError


async def validate(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Gather the documents where nobody changes them any more."""
    order: Order = step.payload
    async with step.unit_of_work() as session:
        if await session.get(AgentRow, (step.actor.org_id, order.agent_id)) is None:
            raise AgentNotFound
    target = factory.places.workspace(step.job_id) / "documents"
    sources = order.spec.knowledge_sources
    count = await asyncio.to_thread(gather, factory, step.actor.org_id, sources, target)
    if not count:
        raise SpecNotUsable("The documents of its sources are gone; upload them again.")
    return {"documents": count}


async def render(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Write the repository's files from the template and the one data file."""
    workspace = factory.places.workspace(step.job_id)
    repository = workspace / "repository"

    def write() -> int:
        remove(repository)
        render_repository(repository, _config(step.payload), workspace / "documents", factory.supplies)
        return sum(path.is_file() for path in repository.rglob("*"))

    return {"files": await asyncio.to_thread(write)}


async def ingest(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Index the knowledge inside the repository."""
    try:
        found = await asyncio.to_thread(index_knowledge, _repository(factory, step))
    except KnowledgeError as problem:
        raise KnowledgeNotUsable(str(problem)) from problem
    return {"documents": found.documents, "passages": found.passages}


async def generate_tests(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Write the questions that the repository's own tests ask."""
    order: Order = step.payload
    held = await asyncio.to_thread(write_tests, _repository(factory, step), order.spec.questions)
    return {"questions": len(held.questions)}


async def verify(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Have the repository pass the gate inside the isolation that the agent will run in."""
    name = step.payload.spec.name
    passed = await pass_gate(factory, Candidate(step.job_id, name, _repository(factory, step), trusted=True))
    return passed.result()


async def commit(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Make the git repository with its one commit, check the version out, record both, and clear the workspace.

    Killed before its outcome was kept, the step runs again: what is recorded is neither made nor recorded twice.
    """
    order: Order = step.payload
    async with step.unit_of_work() as session:
        known = await session.get(VersionRow, (step.actor.org_id, order.agent_id, order.version))
    made = {"commit": known.commit, "tree": known.tree_sha256} if known else await _make_version(factory, step)
    try:
        await undo_workspace(factory, step)
    except OSError as error:
        await step.warn(f"The workspace {factory.places.workspace(step.job_id)} could not be removed: {error}")
    return made


async def _make_version(factory: Factory, step: StepContext) -> dict[str, Any]:
    order: Order = step.payload
    org_id, number = step.actor.org_id, order.version
    repository = Repository(factory.places.repository(org_id, order.agent_id), factory.git_author)
    made = await repository.publish(_repository(factory, step), _message(order), order.requested_at)
    version = factory.places.version(org_id, order.agent_id, number)
    await repository.check_out(made, version)
    await asyncio.to_thread(open_to_agents, version)
    tree = await asyncio.to_thread(tree_sha256, version)
    ingested = step.results["ingest"]
    async with step.unit_of_work() as session:
        row = VersionRow(
            org_id=org_id, agent_id=order.agent_id, number=number, commit=made, tree_sha256=tree,
            documents=ingested["documents"], passages=ingested["passages"], built_at=clock.now(),
            questions=step.results["verify"]["questions"], answered_right=step.results["verify"]["right"],
        )  # fmt: skip
        session.add(row)
        await audit.record(
            session, step.actor, AGENT_BUILT, resource=order.spec.name, agent=order.spec.name,
            version=number, commit=made, documents=ingested["documents"],
        )  # fmt: skip
    return {"commit": made, "tree": tree}


async def undo_workspace(factory: Factory, step: StepContext) -> None:
    """Remove what the job wrote on its way."""
    await asyncio.to_thread(remove, factory.places.workspace(step.job_id))


async def undo_commit(factory: Factory, step: StepContext) -> None:
    """Remove the repository and its versions; the agent's row, and with it the version's, goes at the job's end."""
    order: Order = step.payload
    await asyncio.to_thread(remove, factory.places.agent(step.actor.org_id, order.agent_id))


def _config(order: Order) -> AgentConfig:
    spec = order.spec
    return AgentConfig(
        name=spec.name,
        version=str(order.version),
        display_name=spec.display_name or spec.name.replace("_", " ").title(),
        description=spec.description,
        domain=spec.domain,
        keywords=spec.keywords,
        capabilities=spec.capabilities,
        knowledge_sources=tuple(
            ConfiguredSource.model_validate(source.model_dump()) for source in spec.knowledge_sources
        ),
    )


def _repository(factory: Factory, step: StepContext) -> Path:
    return factory.places.workspace(step.job_id) / "repository"


def _message(order: Order) -> str:
    return f"{order.spec.name} {order.version}"


def version_directory(factory: Factory, org_id: UUID, order: Order) -> Path:
    """Where the version that shall run is."""
    return factory.places.version(org_id, order.agent_id, order.version)
