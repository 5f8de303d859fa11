"""kill -9 of the worker at each step: afterwards there is a working agent, or nothing."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from promptcraft.agents.service.pipeline import VECTOR_STEPS
from promptcraft.app.up.servers import Urls
from promptcraft.app.work import kinds_of
from promptcraft.kernel.audit.catalogue.agents import INDEX_GROWN
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.kernel.jobs import due_work, run_job
from tests.agents.conftest import SPEC, left_behind, uploaded, work
from tests.agents.test_creation import AGENTS, BUILD, DEPLOY
from tests.conftest import Platform
from tests.people import Person

ROOT = Path(__file__).resolve().parents[2]
Killed = Callable[[str, str, str], Awaitable[None]]


@pytest.fixture(scope="module")
def workers(urls: Urls, platform: Platform) -> Iterator["subprocess.Popen[str]"]:
    """Makes workers that die, on this module's platform."""
    settings = {
        "PROMPTCRAFT_DATA_DIR": str(platform.process.settings.core.data_dir),
        "ANALYTICS_DB_URL": urls.owner,
        "PROMPTCRAFT_DB_APP_URL": urls.app,
        "PROMPTCRAFT_DB_SYSTEM_URL": urls.system,
        "REDIS_URL": urls.redis,
        "PROMPTCRAFT_MASTER_KEY": "k" * 43,
    }
    program = [sys.executable, "-m", "tests.agents.dying_worker"]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as process:
        tell(process, json.dumps(settings))
        yield process
        process.communicate(timeout=30)


def tell(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


@pytest.fixture
def killed(workers: "subprocess.Popen[str]", platform: Platform) -> Killed:
    """Let a worker run a job until it is killed at a step, and let its lease run out."""

    async def run(job: str, step: str, moment: str) -> None:
        assert workers.stdout is not None
        tell(workers, f"{job} {step} {moment}")
        assert await asyncio.to_thread(workers.stdout.readline) == "-9\n"
        async with system_unit_of_work(platform.db) as session:
            expire = "update kernel.job set lease_until = clock_timestamp() - interval '1 s' where id = :job"
            await session.execute(text(expire), {"job": UUID(job)})

    return run


async def requested(person: Person, name: str, *, deploy: bool) -> str:
    """Ask for an agent; returns the job."""
    source = {"type": "markdown", "source": await uploaded(person)}
    spec = {**SPEC, "name": name, "knowledge_sources": [source]}
    accepted = await person.post(f"{AGENTS}/create", {"agent_spec": spec, "deployment_config": {"auto_deploy": deploy}})
    assert accepted.status_code == 202, accepted.text
    return accepted.json()["data"]["creation_id"]


async def clear(platform: Platform, person: Person) -> None:
    """Delete every agent and wait until nothing is left."""
    for agent in (await person.get(AGENTS)).json()["data"]:
        assert (await person.delete(f"{AGENTS}/{agent['name']}")).status_code == 204
    async with asyncio.timeout(90):
        while left := await left_behind(platform, person):
            await work(platform)
            await asyncio.sleep(0.1)
    assert left == []


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_killed_at_each_step_of_building_is_followed_by_one_that_completes(
    alice, platform, host, killed: Killed, moment: str
):
    job = await requested(alice, "phoenix", deploy=False)

    for step in BUILD:
        await killed(job, step, moment)
    await work(platform)

    progress = (await alice.get(f"{AGENTS}/creation/{job}/status")).json()["data"]
    assert (progress["status"], progress["phase"]) == ("completed", "built"), progress
    assert await left_behind(platform, alice) != []
    await clear(platform, alice)


async def test_a_worker_killed_at_each_step_of_deploying_is_followed_by_one_that_completes(
    alice, platform, host, killed: Killed
):
    await requested(alice, "phoenix", deploy=False)
    await work(platform)
    accepted = await alice.post(f"{AGENTS}/phoenix/deploy", {"agent_name": "phoenix"})
    job = accepted.json()["data"]["deployment_id"]

    for step in DEPLOY:
        for moment in ("before", "after"):
            await killed(job, step, moment)
    await work(platform)

    progress = (await alice.get(f"{AGENTS}/deployments/{job}")).json()["data"]
    assert (progress["status"], progress["phase"]) == ("completed", "deployed"), progress
    shown = (await alice.get(f"{AGENTS}/phoenix")).json()["data"]
    assert [one["environment"] for one in shown["instances"]] == ["development"]
    asked = await alice.post("/api/v4/execute", {"query": "When is the VAT return due?", "agent": "phoenix"})
    assert asked.json()["data"]["answered"], asked.text
    await clear(platform, alice)


async def test_a_worker_killed_at_each_step_of_growing_an_index_is_followed_by_one_that_grows_it_once(
    alice, platform, host, killed: Killed
):
    creation = await requested(alice, "phoenix", deploy=False)
    await run_job(platform.db, kinds_of(platform.parts), UUID(creation), "test")
    (job,) = [work.target for work in await due_work(platform.db) if len(work.target) == 36]

    for step in VECTOR_STEPS:
        for moment in ("before", "after"):
            await killed(job, step, moment)
    await work(platform)

    shown = (await alice.get(f"{AGENTS}/phoenix")).json()["data"]
    assert (shown["index"]["version"], shown["index"]["vectors"] > 0) == (2, True)
    assert (await alice.events()).count(INDEX_GROWN.id) == 1
    workspaces = platform.process.settings.core.data_dir / "workspaces"
    assert list(workspaces.iterdir()) == []
    await clear(platform, alice)


@pytest.mark.parametrize("step", ["render", "repository", "healthy", "register"])
async def test_a_step_that_kills_every_worker_ends_in_nothing_left_and_says_which(
    alice, platform, host, killed: Killed, step: str
):
    job = await requested(alice, "icarus", deploy=True)

    for _ in range(3):
        await killed(job, step, "after")
    async with asyncio.timeout(90):
        while (progress := (await alice.get(f"{AGENTS}/creation/{job}/status")).json()["data"])["status"] != "failed":
            await work(platform)
            await asyncio.sleep(0.1)

    assert progress["phase"] == step
    assert {one["name"]: one["status"] for one in progress["steps"]}[step] == "failed"
    assert "gave up after 3 attempts" in progress["error"]
    assert await left_behind(platform, alice) == []
    assert (await alice.get(f"{AGENTS}/icarus")).status_code == 404
