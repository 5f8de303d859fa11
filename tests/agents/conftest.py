"""The factory at work: jobs are run by this process when a test says so, agents by a runtime in it."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from promptcraft.agents import Supplies
from promptcraft.agents.service.render import index_knowledge, render_repository, write_tests
from promptcraft.app.doors import ModelDoors, agents_asgi
from promptcraft.app.engines import driver_of, places_of
from promptcraft.app.work import kinds_of
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import due_work, run_job
from promptcraft.runtime import host_place, run_host
from promptcraft_sdk.configuration import AgentConfig
from tests.conftest import Platform
from tests.people import Person

HANDBOOK = Path(__file__).parent / "handbook"
SPEC: dict[str, Any] = {
    "name": "tax_advisor",
    "display_name": "Tax advisor",
    "description": "Answers questions about VAT, payroll and expenses.",
    "domain": "finance",
    "keywords": ["vat", "payroll"],
    "capabilities": ["Find when a VAT return is due", "Explain payroll and wage tax"],
}


@pytest.fixture(scope="session")
def supplies() -> Supplies:
    return Supplies.of_installation()


@pytest.fixture
def render(supplies: Supplies, tmp_path: Path):
    """A complete repository of an agent over the handbook, as the factory writes it, before git."""

    def write(config: AgentConfig, name: str = "repository") -> Path:
        target = tmp_path / name
        render_repository(target, config, HANDBOOK, supplies)
        index_knowledge(target)
        write_tests(target)
        return target

    return write


def packed(documents: Path = HANDBOOK, mode: str = "w:gz") -> bytes:
    """A directory as an archive, as the CLI sends it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # pyright: ignore[reportCallIssue, reportArgumentType] -- a mode
        tar.add(documents, arcname=".")
    return buffer.getvalue()


async def uploaded(person: Person, archive: bytes | None = None) -> str:
    """The source of an upload of the handbook, or of another archive."""
    answer = await person.client.post("/api/v4/admin/knowledge/uploads", content=archive or packed())
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["source"]


async def work(platform: Platform) -> None:
    """Do the background work that is due, until none is."""
    while jobs := [UUID(work.target) for work in await due_work(platform.db) if len(work.target) == 36]:
        for job in jobs:
            await run_job(platform.db, kinds_of(platform.parts), job, "test")


Creates = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def create(platform: Platform) -> Creates:
    """Asks for an agent over the handbook, does the work and gives the progress then."""

    async def ask(
        person: Person, *, deploy: bool = False, environment: str = "development", **spec: Any
    ) -> dict[str, Any]:
        source = {"type": "markdown", "source": await uploaded(person)}
        body = {
            "agent_spec": {**SPEC, "knowledge_sources": [source], **spec},
            "deployment_config": {"auto_deploy": deploy, "environment": environment},
        }
        accepted = await person.post("/api/v4/admin/agents/create", body)
        assert accepted.status_code == 202, accepted.text
        await work(platform)
        return (await person.get(accepted.json()["data"]["progress_endpoint"])).json()["data"]

    return ask


@pytest.fixture(scope="module")
async def host(platform: Platform) -> AsyncIterator[None]:
    """The runtime of this host."""
    settings = platform.process.settings
    stopping, woken = asyncio.Event(), asyncio.Event()
    places = places_of(settings, commands_only=False)
    place = host_place(places)
    doors = ModelDoors(agents_asgi(platform.process, platform.parts.gateway), places.socket_directory)
    driver = driver_of(settings, commands_only=False)

    async def serve() -> None:
        with enter(WorkContext("runtime", "runtime", "runtime")):
            await run_host(platform.db, driver, str(new_id()), place, woken=woken, stopping=stopping, doors=doors)

    task = asyncio.create_task(serve())
    yield
    stopping.set()
    await task


async def left_behind(platform: Platform, person: Person) -> list[str]:
    """Everything there is of the person's agents: rows, servers, instances, directories; empty where nothing is."""
    counted = ("agents.agent", "agents.version", "registry.server", "registry.tool", "runtime.instance")
    found: list[str] = []
    async with unit_of_work(platform.db, person.actor) as session:
        for table in counted:
            count = await session.scalar(text(f"select count(*) from {table}"))  # noqa: S608 - names of ours
            found += [f"{count} rows in {table}"] if count else []
    data = platform.process.settings.core.data_dir
    places = [data / "agents" / str(person.org_id), data / "workspaces", data / "runtime" / "programs-sockets"]
    found += [str(path) for place in places if place.is_dir() for path in place.iterdir()]
    return found
