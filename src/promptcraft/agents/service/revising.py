"""The steps from what is new (a push, a newer template, changed sources) to an agent's next version.

What is new of the template or the sources is put on the branch `factory/template`, which nobody edits, and merged into
main by git: what people edited stays, and where the two do not go together it is said, not chosen. Objects that no
branch names are nothing yet: main moves in the last step, once the gate has been passed.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

from promptcraft.agents.clients import Repository, tree_sha256
from promptcraft.agents.clients.git import BRANCH, TEMPLATE_BRANCH
from promptcraft.agents.clients.places import open_to_agents, remove
from promptcraft.agents.errors import (
    AgentNotFound,
    BundleNotUsable,
    IsolationRequired,
    KnowledgeNotUsable,
    NotFastForward,
    UpdateConflict,
)
from promptcraft.agents.schemas import Revision
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.gate import Candidate, pass_gate
from promptcraft.agents.service.render import index_anew, render_anew, write_tests
from promptcraft.agents.service.sources import gather
from promptcraft.agents.tables import AgentRow, VersionRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.audit.catalogue.agents import AGENT_BUILT
from promptcraft.kernel.jobs import StepContext
from promptcraft.runtime import IsolationUnavailable
from promptcraft_sdk.configuration import CONFIG_FILE, DOCUMENTS, INDEX, load_config
from promptcraft_sdk.knowledge import KnowledgeError

_LONGEST_CONFLICT = 6_000
_WHAT = {"push": "as it was pushed", "template": "by a newer template", "knowledge": "by its sources as they are now"}


async def receive(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Lay out what was pushed; an index that is not that of its documents is written anew, as a commit on top."""
    revision: Revision = step.payload
    workspace = factory.places.workspace(step.job_id)
    pushed = Repository(workspace / "pushed.git", factory.git_author)
    base = await _repository(factory, step).tip()
    sent = await pushed.tip()
    await pushed.check_out(sent, workspace / "repository")
    await asyncio.to_thread(_check_name, workspace / "repository", revision)
    ingested = await _index(workspace / "repository")
    tree = await pushed.write_tree(workspace / "repository")
    commit = sent
    if tree != await pushed.tree_of(sent):
        message = f"{revision.order.spec.name} {revision.order.version}: the index of its documents"
        commit = await pushed.record(tree, [sent], message, revision.requested_at)
        await pushed.advance(BRANCH, commit, sent)
    return {"changed": True, "base": base, "commit": commit, **ingested}


async def merge(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Make the template branch what it should be by now, and merge it. Raises UpdateConflict with files and lines."""
    revision: Revision = step.payload
    workspace, repository = factory.places.workspace(step.job_id), _repository(factory, step)
    main, old = await repository.tip(), await repository.tip(TEMPLATE_BRANCH)
    pristine = workspace / "pristine"
    await repository.check_out(old, pristine)
    await repository.check_out(main, workspace / "main")
    if revision.change == "template":
        await asyncio.to_thread(render_anew, pristine, factory.supplies)
    else:
        await _read_sources(factory, step, pristine)
    new = old
    if await repository.write_tree(pristine) != await repository.tree_of(old):
        # The same index on both sides is no matter for the merge: it is written anew from what comes of it.
        await asyncio.to_thread(_take_index, workspace / "main", pristine)
        message = f"{revision.order.spec.name}: {_WHAT[revision.change]}"
        new = await repository.record(await repository.write_tree(pristine), [old], message, revision.requested_at)
    if await repository.holds(main, new):
        await step.warn("There is nothing new: the agent stays as it is.")
        return {"changed": False}
    merged = await repository.merge(main, new)
    if merged.conflicts or merged.files:
        await repository.advance(TEMPLATE_BRANCH, new, old)  # for whoever settles it at home
        raise UpdateConflict(_shown(merged.files, merged.conflicts))
    await repository.check_out(merged.tree, workspace / "repository")
    ingested = await _index(workspace / "repository")
    tree = await repository.write_tree(workspace / "repository")
    message = f"{revision.order.spec.name} {revision.order.version}: {_WHAT[revision.change]}"
    commit = await repository.record(tree, [main, new], message, revision.requested_at)
    return {"changed": True, "base": main, "commit": commit, "template": [old, new], **ingested}


async def verify(factory: Factory, step: StepContext) -> dict[str, Any]:
    """The full gate. What was edited passes it isolated or not at all."""
    revision: Revision = step.payload
    if not _found(step)["changed"]:
        return {}
    files = factory.places.workspace(step.job_id) / "repository"
    trusted = not revision.edited
    try:
        passed = await pass_gate(factory, Candidate(step.job_id, revision.order.spec.name, files, trusted))
    except IsolationUnavailable as missing:
        raise IsolationRequired(missing.detail) from missing
    return passed.result()


async def keep(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Move main to what has passed, check it out as a version and record it. Raises NotFastForward where main moved."""
    found = _found(step)
    if found["changed"] and await _version(step) is None:
        await _make_version(factory, step, found)
    await clear(factory, step)
    return {}


async def _make_version(factory: Factory, step: StepContext, found: dict[str, Any]) -> None:
    revision: Revision = step.payload
    order, repository = revision.order, _repository(factory, step)
    if revision.change == "push":
        await repository.take_over(factory.places.workspace(step.job_id) / "pushed.git", found["commit"])
    if not await repository.advance(BRANCH, found["commit"], found["base"]):
        raise NotFastForward("Its repository was given something else meanwhile.", next_step="Do the same once more.")
    if "template" in found:
        old, new = found["template"]
        await repository.advance(TEMPLATE_BRANCH, new, old)
    version = factory.places.version(step.actor.org_id, order.agent_id, order.version)
    await repository.check_out(found["commit"], version)
    await asyncio.to_thread(open_to_agents, version)
    tree = await asyncio.to_thread(tree_sha256, version)
    gate = step.results["verify"]
    async with step.unit_of_work() as session:
        agent = await session.get(AgentRow, (step.actor.org_id, order.agent_id), with_for_update=True)
        if agent is None:
            raise AgentNotFound
        agent.version = order.version
        row = VersionRow(
            org_id=step.actor.org_id, agent_id=order.agent_id, number=order.version, commit=found["commit"],
            tree_sha256=tree, documents=found["documents"], passages=found["passages"], built_at=clock.now(),
            questions=gate["questions"], answered_right=gate["right"], edited=revision.edited,
        )  # fmt: skip
        session.add(row)
        await audit.record(
            session, step.actor, AGENT_BUILT, resource=order.spec.name, agent=order.spec.name,
            version=order.version, commit=found["commit"], documents=found["documents"],
        )  # fmt: skip


async def undo_keep(factory: Factory, step: StepContext) -> None:
    """Leave main where it was, unless the version is there."""
    found = _found(step)
    if found["changed"] and await _version(step) is None:
        order = step.payload.order
        await _repository(factory, step).advance(BRANCH, found["base"], found["commit"])
        await asyncio.to_thread(remove, factory.places.version(step.actor.org_id, order.agent_id, order.version))


async def clear(factory: Factory, step: StepContext) -> None:
    """Remove what the job wrote on its way, and what was pushed for it."""
    await asyncio.to_thread(remove, factory.places.workspace(step.job_id))


async def _read_sources(factory: Factory, step: StepContext, pristine: Path) -> None:
    """Put the sources' documents as they are now into `pristine`, with the questions made from them."""
    documents = factory.places.workspace(step.job_id) / "documents"
    sources = step.payload.order.spec.knowledge_sources
    count = await asyncio.to_thread(gather, factory, step.actor.org_id, sources, documents)
    if not count:
        raise KnowledgeNotUsable("Its sources hold no documents any more.", next_step="Bring them back, or delete it.")
    if await asyncio.to_thread(lambda: tree_sha256(documents) == tree_sha256(pristine / DOCUMENTS)):
        return

    def replace() -> None:
        remove(pristine / DOCUMENTS)
        shutil.copytree(documents, pristine / DOCUMENTS)
        index_anew(pristine)
        write_tests(pristine)

    try:
        await asyncio.to_thread(replace)
    except KnowledgeError as problem:
        raise KnowledgeNotUsable(str(problem)) from problem


async def _index(files: Path) -> dict[str, int]:
    try:
        found = await asyncio.to_thread(index_anew, files)
    except KnowledgeError as problem:
        raise KnowledgeNotUsable(str(problem)) from problem
    return {"documents": found.documents, "passages": found.passages}


def _take_index(main: Path, pristine: Path) -> None:
    remove(pristine / INDEX)
    shutil.copytree(main / INDEX, pristine / INDEX)


def _check_name(files: Path, revision: Revision) -> None:
    name = revision.order.spec.name
    try:
        config = load_config(files / CONFIG_FILE)
    except (OSError, ValueError) as error:
        raise BundleNotUsable(f"{CONFIG_FILE} cannot be read: {str(error)[:500]}") from error
    if config.name != name:
        raise BundleNotUsable(f"{CONFIG_FILE} is that of {config.name}, not of {name}.")


def _shown(files: tuple[str, ...], conflicts: tuple[str, ...]) -> str:
    text = "\n".join([f"In conflict: {', '.join(files)}", *conflicts])
    return text if len(text) <= _LONGEST_CONFLICT else f"{text[:_LONGEST_CONFLICT]}\n... and more."


def _found(step: StepContext) -> dict[str, Any]:
    """What the first step found, whichever it was."""
    return step.results.get("receive") or step.results["merge"]


async def _version(step: StepContext) -> VersionRow | None:
    order = step.payload.order
    async with step.unit_of_work() as session:
        return await session.get(VersionRow, (step.actor.org_id, order.agent_id, order.version))


def _repository(factory: Factory, step: StepContext) -> Repository:
    path = factory.places.repository(step.actor.org_id, step.payload.order.agent_id)
    return Repository(path, factory.git_author)
