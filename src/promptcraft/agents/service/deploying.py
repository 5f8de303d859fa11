"""The steps from a built version to an agent that Zen routes to."""

import asyncio
import time
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents.clients import tree_sha256
from promptcraft.agents.errors import AgentNotFound, ContractBroken
from promptcraft.agents.schemas import Order
from promptcraft.agents.service.building import version_directory
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.gate import VARIABLES
from promptcraft.agents.tables import AgentRow, VersionRow
from promptcraft.kernel import audit
from promptcraft.kernel.audit.catalogue.agents import AGENT_DEPLOYED
from promptcraft.kernel.jobs import StepContext
from promptcraft.registry import (
    Evaluation,
    Server,
    ServerRegistration,
    ServerStatus,
    ToolContract,
    UpstreamUnavailable,
    register_server,
    servers,
    set_status,
    unregister_server,
)
from promptcraft.runtime import Instance, InstanceDesired, desire, instances, undesire, wait_until_gone
from promptcraft.runtime import Limits as RuntimeLimits
from promptcraft.runtime import wait_until_healthy as healthy_instance
from promptcraft_sdk.configuration import ASK, CONFIG_FILE, INDEX, load_config
from promptcraft_sdk.knowledge import load_index
from promptcraft_sdk.knowledge.words import FUNCTION_WORDS, words_of

_HEALTHY_SECONDS = 60.0
_GONE_SECONDS = 30.0
_AGAIN_SECONDS = 0.5
_MOST_TITLES = 400
_MOST_WORDS = 4_000
_LONGEST_TERM = 200


async def start(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Want the version to run; the host's runtime makes it so."""
    order: Order = step.payload
    code = version_directory(factory, step.actor.org_id, order)
    tree = await asyncio.to_thread(tree_sha256, code)
    async with step.unit_of_work() as session:
        version = await session.get(VersionRow, (step.actor.org_id, order.agent_id, order.version))
        if version is None:
            raise AgentNotFound
        instance = await desire(
            session,
            step.actor,
            InstanceDesired(
                name=order.spec.name,
                version=str(order.version),
                environment=order.environment,
                code=code,
                python=factory.supplies.environment,
                argv=("python", "-m", order.spec.name),
                variables={**VARIABLES, "AGENT_COMMIT": version.commit},
                limits=RuntimeLimits(memory_bytes=order.memory_bytes, cpus=order.cpus),
                restart_policy=order.restart_policy,
                trusted_template=tree == version.tree_sha256 and not version.edited,
            ),
        )
    return {"instance": str(instance.id)}


async def wait_until_healthy(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Wait for the agent's own /health."""
    instance = await healthy_instance(step.db, step.actor, _instance_id(step), _HEALTHY_SECONDS)
    return {"socket": str(instance.socket)}


async def take_contract(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Take the tools that the agent lists as its contract, and see that they are those of its spec."""
    socket, listed = await _listed(factory, step)
    code = version_directory(factory, step.actor.org_id, step.payload)
    config = await asyncio.to_thread(load_config, code / CONFIG_FILE)
    missing = {ASK, *config.tools} - {tool.name for tool in listed}
    if missing:
        raise ContractBroken(f"It does not list {', '.join(sorted(missing))}.")
    return {"socket": socket, "tools": [tool.model_dump() for tool in listed]}


async def _listed(factory: Factory, step: StepContext) -> tuple[str, list[ToolContract]]:
    """Where the agent answers, and its tools; if its runtime was killed meanwhile, once another has started it."""
    deadline = time.monotonic() + _HEALTHY_SECONDS
    while True:
        instance = await healthy_instance(step.db, step.actor, _instance_id(step), _HEALTHY_SECONDS)
        try:
            return str(instance.socket), await factory.upstream.list_tools(str(instance.socket))
        except UpstreamUnavailable:
            # what a killed runtime saw last stays written until the next one begins
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_AGAIN_SECONDS)


async def register(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Put the agent with its contract into the registry; Zen looks at it only once it is routed."""
    order: Order = step.payload
    code = version_directory(factory, step.actor.org_id, order)
    terms = await asyncio.to_thread(_terms, code)
    async with step.unit_of_work() as session:
        known = await _registered(session, step)
        if known and known.instance_id == _instance_id(step) and known.registered_at >= order.requested_at:
            return {"terms": len(terms)}  # by this job, whose worker died before that was kept
        version = await session.get_one(VersionRow, (step.actor.org_id, order.agent_id, order.version))
        held = version.questions
        await register_server(
            session,
            step.actor,
            ServerRegistration(
                status=known.status if known else ServerStatus.STOPPED,
                name=order.spec.name,
                environment=order.environment,
                version=str(order.version),
                display_name=order.spec.display_name,
                description=order.spec.description,
                domain=order.spec.domain,
                keywords=order.spec.keywords,
                knowledge_terms=terms,
                instance_id=_instance_id(step),
                endpoint=step.results["contract"]["socket"],
                tools=tuple(ToolContract.model_validate(tool) for tool in step.results["contract"]["tools"]),
                evaluation=Evaluation(questions=held, correct=version.answered_right) if held else None,
            ),
        )
    return {"terms": len(terms), "before": known.model_dump(mode="json") if known else None}


async def route(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Let queries in, and retire what ran in this environment before: one transaction, the last step."""
    order: Order = step.payload
    async with step.unit_of_work() as session:
        await set_status(session, step.actor, order.spec.name, order.environment, ServerStatus.RUNNING)
        for other in await instances(session, step.actor, name=order.spec.name, environment=order.environment):
            if other.id != _instance_id(step):
                await undesire(session, step.actor, other.id)
        agent = await session.get_one(AgentRow, (step.actor.org_id, order.agent_id), with_for_update=True)
        if agent.stage != "deployed":  # else by this job, whose worker died before that was kept
            agent.stage = "deployed"
            await audit.record(
                session, step.actor, AGENT_DEPLOYED, resource=order.spec.name, agent=order.spec.name,
                version=order.version, environment=order.environment,
            )  # fmt: skip
    return {"environment": order.environment}


async def undo_register(factory: Factory, step: StepContext) -> None:
    """Put back what the registry held before: an earlier version, or nothing."""
    order: Order = step.payload
    before: dict[str, Any] | None = step.results.get("register", {}).get("before")
    if order.redeploys:
        return
    async with step.unit_of_work() as session:
        if before is not None:
            former = Server.model_validate(before)
            await register_server(
                session, step.actor, ServerRegistration(**former.model_dump(exclude={"registered_at"}))
            )
        elif (known := await _registered(session, step)) and known.version == str(order.version):
            await unregister_server(session, step.actor, order.spec.name, order.environment)


async def undo_start(factory: Factory, step: StepContext) -> None:
    """Stop what this job started and wait until nothing of it is left."""
    if step.payload.redeploys:
        return
    started = await _own_instance(step)
    if started is None:
        return
    async with step.unit_of_work() as session:
        await undesire(session, step.actor, started.id)
    await wait_until_gone(step.db, step.actor, started.id, _GONE_SECONDS)


async def _own_instance(step: StepContext) -> Instance | None:
    order: Order = step.payload
    key = {"name": order.spec.name, "version": str(order.version)}
    async with step.unit_of_work() as session:
        found = await instances(session, step.actor, **key, environment=order.environment)
    return found[0] if found else None


async def _registered(session: AsyncSession, step: StepContext) -> Server | None:
    """What is registered of the agent in this environment."""
    order: Order = step.payload
    listed = await servers(session, step.actor, kind="agent", name=order.spec.name)
    return next((one for one in listed if one.environment == order.environment), None)


def _terms(code: Path) -> tuple[str, ...]:
    """What queries are routed by beside the spec's words: titles and headings first, then the words of the passages.

    Words that stand in more passages come earlier, as they say more of what the knowledge is about.
    """
    index = load_index(code / INDEX)
    names = [PurePosixPath(passage.file).stem.replace("_", " ") for passage in index.passages]
    headings = [heading for passage in index.passages for heading in passage.headings]
    titles = list(dict.fromkeys(text[:_LONGEST_TERM] for text in (*names, *headings)))[:_MOST_TITLES]
    counted = Counter(word for passage in index.passages for word in set(words_of(passage.reading)))
    telling = [word for word, _ in counted.most_common() if word not in FUNCTION_WORDS and len(word) <= _LONGEST_TERM]
    return (*titles, *telling[:_MOST_WORDS])


def _instance_id(step: StepContext) -> UUID:
    return UUID(step.results["start"]["instance"])
