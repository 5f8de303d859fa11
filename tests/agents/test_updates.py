"""Agents get what is new of the template and of their sources, keep what was edited, and answer meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from promptcraft.agents.service import refresh_knowledge
from promptcraft.kernel.audit.catalogue.agents import UPDATE_REQUESTED
from promptcraft.kernel.db import unit_of_work
from tests.agents.conftest import HANDBOOK, SPEC, work
from tests.agents.test_pushes import cloned, committed, git, pushed, seen_through
from tests.conftest import Platform
from tests.people import Person

AGENTS = "/api/v4/admin/agents"


@pytest.fixture(scope="module")
def settings_given(tmp_path_factory) -> dict[str, str]:
    return {"PROMPTCRAFT_KNOWLEDGE_ROOTS": str(tmp_path_factory.mktemp("roots"))}


@pytest.fixture
def newer(platform, tmp_path):
    """The platform with a newer template: a copy of the present one, changed; every call changes it further."""
    template = tmp_path / "template"
    shutil.copytree(platform.parts.factory.supplies.template, template)

    def change(file: str, before: str, after: str) -> Platform:
        path = template / "project" / file
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
        supplies = replace(platform.parts.factory.supplies, template=template)
        parts = replace(platform.parts, factory=replace(platform.parts.factory, supplies=supplies))
        return replace(platform, parts=parts)

    return change


async def updated(platform, person, name: str) -> dict:
    return await seen_through(platform, person, await person.post(f"{AGENTS}/{name}/update", {}))


async def test_a_newer_template_is_merged_into_edited_agents_and_a_conflict_is_shown(
    platform, alice, create, newer, tmp_path
):
    assert (await create(alice, name="edited_agent"))["status"] == "completed"
    assert (await updated(platform, alice, "edited_agent"))["phase"] == "unchanged"
    mine = await cloned(alice, tmp_path, "edited_agent")
    (mine / "src" / "edited_agent" / "agent.py").rename(mine / "src" / "edited_agent" / "maker.py")
    for file in (mine / "src" / "edited_agent" / "__main__.py", mine / "tests" / "conftest.py"):
        file.write_text(file.read_text().replace("edited_agent.agent import", "edited_agent.maker import"))
    (mine / "src" / "edited_agent" / "agent.py").write_text(
        '"""Where the platform looks."""\n\nfrom edited_agent.maker import make_agent\n\n__all__ = ["make_agent"]\n'
    )
    readme = mine / "README.md"
    readme.write_text(readme.read_text().replace("## Run it", "## How we run it"))
    progress = await seen_through(platform, alice, await pushed(alice, committed(mine), "edited_agent"))
    assert progress["phase"] == "built", progress["error"]

    platform = newer(".dockerignore.jinja", "tests\n", "tests\n.env\n")
    progress = await updated(platform, alice, "edited_agent")

    assert (progress["status"], progress["phase"]) == ("completed", "built"), progress["error"]
    (tmp_path / "after").mkdir()
    after = await cloned(alice, tmp_path / "after", "edited_agent")
    assert (after / ".dockerignore").read_text().endswith(".env\n")
    assert "## How we run it" in (after / "README.md").read_text()
    shown = (await alice.get(f"{AGENTS}/edited_agent")).json()["data"]
    assert (shown["version"], shown["edited"]) == ("3", True)
    assert UPDATE_REQUESTED.id in await alice.events()

    platform = newer("README.md.jinja", "## Run it", "## Run it at home")
    progress = await updated(platform, alice, "edited_agent")

    assert (progress["status"], progress["error_code"]) == ("failed", "update_conflict")
    assert "In conflict: README.md" in progress["error"]
    assert "## How we run it" in progress["error"]
    assert "## Run it at home" in progress["error"]
    shown = (await alice.get(f"{AGENTS}/edited_agent")).json()["data"]
    assert (shown["version"], shown["status"]) == ("3", "built")

    # settled at home and pushed, it is over
    (tmp_path / "again").mkdir()
    again = await cloned(alice, tmp_path / "again", "edited_agent")
    git(again, "merge", "--quiet", "-X", "ours", "-m", "settled", "origin/factory/template")
    progress = await seen_through(platform, alice, await pushed(alice, committed(again), "edited_agent"))
    assert progress["phase"] == "built", progress["error"]
    assert (await updated(platform, alice, "edited_agent"))["phase"] == "unchanged"


@asynccontextmanager
async def asking(person: Person, name: str) -> AsyncIterator[list[bool]]:
    """Three callers who ask again and again; what they got was an answer, or it was not."""
    answered: list[bool] = []
    over = asyncio.Event()

    async def keep_asking() -> None:
        while not over.is_set():
            body = {"query": "When is the quarterly VAT return due?", "agent": name}
            asked = await person.post("/api/v4/execute", body)
            answered.append(asked.status_code == 200 and asked.json()["data"]["answered"])

    callers = [asyncio.create_task(keep_asking()) for _ in range(3)]
    yield answered
    over.set()
    await asyncio.gather(*callers)


async def become_due(platform, person) -> None:
    async with unit_of_work(platform.db, person.actor) as session:
        await session.execute(text("update agents.refresh set due_at = due_at - interval '2 days'"))


async def test_changed_sources_become_the_next_version_without_a_failed_call_and_unchanged_ones_nothing(
    platform, alice, host, tmp_path
):
    root = platform.process.settings.agents.knowledge_roots[0]
    shutil.copytree(HANDBOOK, root / "handbook")
    source = {"type": "markdown", "source": str(root / "handbook"), "update_frequency": "daily"}
    spec = {**SPEC, "name": "fresh_agent", "knowledge_sources": [source]}
    accepted = await alice.post(f"{AGENTS}/create", {"agent_spec": spec, "deployment_config": {"auto_deploy": True}})
    assert (await seen_through(platform, alice, accepted))["status"] == "completed"
    await refresh_knowledge(platform.db)
    assert (await alice.get(f"{AGENTS}/fresh_agent")).json()["data"]["version"] == "1"

    await become_due(platform, alice)
    await refresh_knowledge(platform.db)
    await work(platform)

    shown = (await alice.get(f"{AGENTS}/fresh_agent")).json()["data"]
    assert (shown["version"], shown["instances"][0]["version"]) == ("1", "1")
    async with unit_of_work(platform.db, alice.actor) as session:
        due = await session.scalar(text("select due_at - now() from agents.refresh"))
    assert timedelta(hours=23) < due <= timedelta(days=1)

    (root / "handbook" / "parking.md").write_text("# Parking\n\nParking is refunded up to 12 a day.\n")
    (root / "handbook" / "expenses.md").unlink()
    await become_due(platform, alice)
    async with asking(alice, "fresh_agent") as answered:
        await refresh_knowledge(platform.db)
        await work(platform)
        await asyncio.sleep(1)

    shown = (await alice.get(f"{AGENTS}/fresh_agent")).json()["data"]
    assert (shown["version"], shown["edited"], shown["status"]) == ("2", False, "running")
    assert [one["version"] for one in shown["instances"]] == ["2"]
    assert (len(answered) > 10, set(answered)) == (True, {True})
    asked = await alice.post("/api/v4/execute", {"query": "Up to what is parking refunded?", "agent": "fresh_agent"})
    assert asked.json()["data"]["citations"][0]["file"] == "parking.md"
    clone = await cloned(alice, tmp_path, "fresh_agent")
    assert not (clone / "knowledge" / "documents" / "expenses.md").exists()
