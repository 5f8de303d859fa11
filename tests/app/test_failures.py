"""Parts that fail under a platform at work: what is served meanwhile, what is refused, that all resumes by itself."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from promptcraft.app import health
from promptcraft.app.api import make_app
from promptcraft.app.process import open_process
from promptcraft.app.up.servers import EmbeddedServers, Urls
from promptcraft.app.work import standing_jobs_of
from promptcraft.kernel import clock
from promptcraft.kernel.asgi import RequestContext
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import due_work, run_standing_job
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.orchestrator.service import CLOSE_ORPHANS
from tests.agents.conftest import packed
from tests.conftest import Platform
from tests.gateway.conftest import until
from tests.lines import Lines, lines_to
from tests.orchestrator.conftest import Agents, Told, knows
from tests.orchestrator.conftest import agents as agents
from tests.people import PASSWORD, Person

ME = "/api/v4/me"
ASK = {"query": "When is the VAT return due?", "agent": "tax"}
UPLOADS = "/api/v4/admin/knowledge/uploads"
# What needs no database, and so is served without one.
SERVED = {"/health", "/health/live", "/metrics", "/api/v4/openapi.json", "/.well-known/jwks.json"}
# What a role may do is said by the code: whoever this process knows already is answered, anybody else is refused.
OF_THE_CODE = {"/api/v4/roles"}
# Whoever waits longer for a refusal would call it a hang.
HANG = 20.0


@pytest.fixture(scope="module")
async def lines(servers: EmbeddedServers, module_urls: Urls) -> AsyncIterator[Lines]:
    async with lines_to(servers, module_urls) as drawn:
        yield drawn


@pytest.fixture(scope="module")
def module_urls(servers: EmbeddedServers) -> Iterator[Urls]:
    yield servers.new_database("failures", template="promptcraft")
    servers.drop_database("failures")


@pytest.fixture(scope="module")
def urls(lines: Lines) -> Urls:
    """The platform of this module reaches its servers by lines that can be cut."""
    return lines.urls


@pytest.fixture(scope="module")
async def another(platform: Platform) -> AsyncIterator[FastAPI]:
    """A second process of the same platform, not started yet."""
    process = open_process("api", platform.process.settings)
    yield make_app(process)
    await process.close()


@pytest.fixture(autouse=True)
async def mended(lines: Lines, platform: Platform) -> AsyncIterator[None]:
    """Each test finds all parts well and the platform aware of it."""
    yield
    for line in (lines.database, lines.redis):
        await line.cut()
        await line.mend()
    assert await until(lambda: _fresh(platform), True, HANG)


async def _fresh(platform: Platform) -> bool:
    return platform.parts.identity.revocations.fresh


def refused(answer: httpx.Response, code: str = "unavailable") -> None:
    """It says that a part is away, what to do, and when to come again."""
    assert answer.status_code == 503, (answer.request.url.path, answer.text)
    problem = answer.json()
    assert (answer.headers["content-type"], problem["code"]) == ("application/problem+json", code)
    assert problem["next_step"]
    assert int(answer.headers["retry-after"]) > 0
    assert "Traceback" not in answer.text
    assert "psycopg" not in answer.text


async def parts_of(person: Person) -> dict[str, str]:
    answer = await person.get("/health")
    assert answer.status_code == 200, answer.text
    return {part["name"]: part["status"] for part in answer.json()["parts"]}


def operations(platform: Platform) -> list[tuple[str, str]]:
    """Every route, with names and ids in the places of its parameters."""
    found = []
    for route in iter_route_contexts(platform.app.routes):
        path = route.path or ""
        for name in ("name", "provider_name", "group", "username"):
            path = path.replace("{" + name + "}", "tax")
        parts = [str(new_id()) if part.startswith("{") else part for part in path.split("/")]
        found += [(method, "/".join(parts)) for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


async def test_without_the_database_every_route_refuses_or_needs_none_and_nothing_of_it_is_left(
    platform: Platform, lines: Lines, alice: Person
) -> None:
    assert (await alice.get(ME)).status_code == 200
    before = await alice.events()
    await lines.database.cut()

    answers: dict[tuple[str, str], httpx.Response] = {}
    for method, path in operations(platform):
        async with asyncio.timeout(HANG):
            body = None if method == "GET" else {}
            answers[method, path] = await alice.client.request(method, path, json=body)
    for (_method, path), answer in answers.items():
        if path in SERVED:
            assert answer.status_code == 200, answer.text
        elif path not in OF_THE_CODE or answer.status_code != 200:
            refused(answer)
    assert len(answers) > 60

    await lines.database.mend()
    assert (await alice.get(ME)).status_code == 200
    assert await alice.events() == before


async def test_without_the_database_nobody_is_told_that_he_may_not_before_it_can_be_recorded(
    lines: Lines, nobody: httpx.AsyncClient, person: Any
) -> None:
    viewer: Person = await person("viewer")
    assert (await viewer.get(ME)).status_code == 200
    await lines.database.cut()

    refused(await nobody.get("/api/v4/executions"))
    refused(await viewer.post("/api/v4/admin/agents/create", {}))

    await lines.database.mend()
    assert (await nobody.get("/api/v4/executions")).status_code == 401
    assert (await viewer.post("/api/v4/admin/agents/create", {})).status_code == 403


async def test_health_says_that_the_database_is_gone_and_that_it_is_back(lines: Lines, alice: Person) -> None:
    await lines.database.cut()

    refused(await alice.get("/health/ready"))
    assert await parts_of(alice) == {"database": "down", "redis": "ok"}
    assert (await alice.get("/health/live")).status_code == 200
    assert "promptcraft_jobs_unfinished NaN" in (await alice.get("/metrics")).text

    await lines.database.mend()
    assert (await alice.get("/health/ready")).status_code == 200
    assert (await parts_of(alice))["database"] == "ok"


async def test_a_database_that_hangs_is_not_ready_and_holds_up_nobody_who_asks_for_health(
    lines: Lines, alice: Person
) -> None:
    assert (await alice.get("/health/ready")).status_code == 200
    lines.database.hold()

    async with asyncio.timeout(HANG):
        refused(await alice.get("/health/ready"))
        assert (await parts_of(alice))["database"] == "down"

    lines.database.release()
    assert await until(lambda: _status(alice, "/health/ready"), 200, HANG) == 200


async def _status(person: Person, path: str) -> int:
    return (await person.get(path)).status_code


async def test_a_process_that_starts_without_the_database_serves_once_it_is_there(
    another: FastAPI, lines: Lines, alice: Person
) -> None:
    await lines.database.cut()
    async with another.router.lifespan_context(another):
        transport = httpx.ASGITransport(RequestContext(another), raise_app_exceptions=False)
        headers = {"Authorization": alice.client.headers["Authorization"]}
        async with httpx.AsyncClient(transport=transport, base_url="http://second", headers=headers) as second:
            assert (await second.get("/health/live")).status_code == 200
            refused(await second.get(ME))

            await lines.database.mend()
            assert (await second.get(ME)).status_code == 200


async def test_an_execution_whose_outcome_cannot_be_kept_is_refused_and_closed_once_afterwards(
    platform: Platform, lines: Lines, alice: Person, agents: Agents
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def waits(query: str, context: Any) -> Told:
        asked.set()
        await go_on.wait()
        return await knows(query, context)

    await agents.start("tax", waits)
    asking = asyncio.create_task(alice.post("/api/v4/execute", ASK | {"time_limit_seconds": 30}))
    await asked.wait()
    await lines.database.cut()
    go_on.set()
    refused(await asking)

    await lines.database.mend()
    entries = (await alice.get("/api/v4/executions")).json()["data"]
    (entry,) = [entry for entry in entries if entry["status"] == "running"]
    sweep = standing_jobs_of(platform.parts)[CLOSE_ORPHANS]
    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=3)):
        await sweep.run(platform.db)
        await sweep.run(platform.db)
    shown = (await alice.get(f"/api/v4/executions/{entry['execution_id']}")).json()["data"]
    assert (shown["status"], "its outcome is not known" in shown["error"]) == ("failed", True)
    async with system_unit_of_work(platform.db) as session:
        facts = text("select count(*) from kernel.outbox where payload like :id")
        assert await session.scalar(facts, {"id": f"%{entry['execution_id']}%"}) == 1


@pytest.mark.parametrize("how", ["cut", "hold"])
async def test_without_valkey_people_sign_in_ask_and_create_and_what_was_asked_is_due(
    platform: Platform, lines: Lines, alice: Person, agents: Agents, how: str
) -> None:
    await agents.start("tax", knows)
    source = (await alice.client.post(UPLOADS, content=packed())).json()["data"]["source"]
    if how == "cut":
        await lines.redis.cut()
    else:
        lines.redis.hold()

    async with asyncio.timeout(HANG):
        credentials = {"username": alice.name, "password": PASSWORD}
        assert (await alice.client.post("/auth/token", json=credentials)).status_code == 200
        assert (await alice.post("/api/v4/execute", ASK)).json()["data"]["answered"]
        assert (await parts_of(alice))["redis"] == "down"
        assert (await alice.get("/health/ready")).status_code == 200
        spec = {
            "name": f"meanwhile_{how}", "domain": "finance", "description": "Answers questions about VAT.",
            "knowledge_sources": [{"type": "markdown", "source": source}],
        }  # fmt: skip
        accepted = await alice.post("/api/v4/admin/agents/create", {"agent_spec": spec})
        assert accepted.status_code == 202, accepted.text
    creation = accepted.json()["data"]["creation_id"]
    assert creation in [work.target for work in await due_work(platform.db)]

    lines.redis.release()
    await lines.redis.cut()
    await lines.redis.mend()
    assert (await parts_of(alice))["redis"] == "ok"
    await asyncio.to_thread(platform.process.queue.send, creation)


async def test_a_valkey_without_room_holds_up_nobody(platform: Platform, alice: Person) -> None:
    redis = platform.process.redis
    await redis.config_set("maxmemory", "1")
    try:
        credentials = {"username": alice.name, "password": PASSWORD}
        assert (await alice.client.post("/auth/token", json=credentials)).status_code == 200
        with pytest.raises(OSError, match="maxmemory"):
            await asyncio.to_thread(platform.process.queue.send, str(new_id()))
    finally:
        await redis.config_set("maxmemory", "0")
    await asyncio.to_thread(platform.process.queue.send, str(new_id()))


@pytest.mark.parametrize("days", [-400, 400])
async def test_on_a_host_whose_clock_is_far_off_people_are_told_so_until_it_is_right(
    alice: Person, nobody: httpx.AsyncClient, days: int
) -> None:
    credentials = {"username": alice.name, "password": PASSWORD}
    with clock.use(lambda: datetime.now(UTC) + timedelta(days=days)):
        answer = await nobody.post("/auth/token", json=credentials)
        refused(answer)
        assert "clock" in answer.json()["next_step"]

    assert (await nobody.post("/auth/token", json=credentials)).status_code == 200


@pytest.mark.parametrize("minutes", [-50, 50])
async def test_after_a_jump_of_the_clock_a_session_goes_on_with_a_new_token(
    nobody: httpx.AsyncClient, alice: Person, minutes: int
) -> None:
    credentials = {"username": alice.name, "password": PASSWORD}
    tokens = (await nobody.post("/auth/token", json=credentials)).json()
    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=minutes)):
        old = await nobody.get(ME, headers={"Authorization": f"Bearer {tokens['access_token']}"})
        assert old.status_code == 401
        assert old.json()["next_step"]
        exchange = {"session": tokens["session"]}
        renewed = await nobody.post("/auth/token", json=exchange)
        assert renewed.status_code == 200, renewed.text
        token = renewed.json()["access_token"]
        assert (await nobody.get(ME, headers={"Authorization": f"Bearer {token}"})).status_code == 200


async def test_work_put_off_by_a_clock_that_was_set_back_is_due_at_once(platform: Platform) -> None:
    runs = []

    async def run(_db: Any) -> None:
        runs.append(1)

    standing = {name: job for name, job in standing_jobs_of(platform.parts).items() if name == CLOSE_ORPHANS}
    standing = {name: type(job)(job.name, job.every_seconds, run) for name, job in standing.items()}
    async with system_unit_of_work(platform.db) as session:
        insert = (
            "insert into kernel.standing_job (name, run_after, lease_owner, lease_until, fencing_token, failures)"
            " values (:name, now() + interval '1 day', 'dead', now() + interval '1 day', 0, 0)"
        )
        await session.execute(text(insert), {"name": CLOSE_ORPHANS})

    assert CLOSE_ORPHANS in [work.target for work in await due_work(platform.db)]
    await run_standing_job(platform.db, standing, CLOSE_ORPHANS, "test")

    assert runs == [1]
    assert CLOSE_ORPHANS not in [work.target for work in await due_work(platform.db)]


async def test_a_clock_that_one_host_has_years_ahead_lets_nothing_be_dropped(platform: Platform) -> None:
    count = text("select count(*) from pg_inherits")
    async with system_unit_of_work(platform.db) as session:
        before = await session.scalar(count)
    with clock.use(lambda: datetime.now(UTC) + timedelta(days=3650)):
        await keep_partitions(platform.db)
    async with system_unit_of_work(platform.db) as session:
        assert await session.scalar(count) > before


async def test_health_says_that_nobody_does_background_work_and_that_somebody_does_again(
    platform: Platform, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsert = (
        "insert into kernel.standing_job (name, run_after, fencing_token, failures, last_run_at)"
        " values ('drill', now(), 0, 0, now() - interval '1 hour')"
        " on conflict (name) do update set last_run_at = now() - cast(:ago as interval)"
    )
    async with system_unit_of_work(platform.db) as session:
        await session.execute(text("update kernel.standing_job set last_run_at = now() - interval '1 hour'"))
        await session.execute(text(upsert), {"ago": "1 hour"})
    monkeypatch.setattr(health, "_STARTED", health._STARTED - 3600)

    assert (await parts_of(alice))["worker"] == "down"
    assert (await alice.get("/health/ready")).status_code == 200

    async with system_unit_of_work(platform.db) as session:
        await session.execute(text(upsert), {"ago": "1 second"})
    assert (await parts_of(alice))["worker"] == "ok"


@contextmanager
def mounted(directory: Path, *options: str) -> Iterator[None]:
    """Something else where this directory is; only root may."""
    mounting = subprocess.run(["mount", *options, str(directory)], capture_output=True, check=False, text=True)
    if mounting.returncode:
        pytest.skip(f"the kernel lets nobody but root mount here: {mounting.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


async def test_knowledge_that_finds_a_full_disk_is_refused_and_taken_once_there_is_room(
    platform: Platform, alice: Person
) -> None:
    data: Path = platform.process.settings.core.data_dir
    with mounted(data, "-t", "tmpfs", "-o", "size=16k,mode=700", "none"):
        answer = await alice.client.post(UPLOADS, content=packed())
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
        assert (await alice.get("/api/v4/executions")).status_code == 200

    assert (await alice.client.post(UPLOADS, content=packed())).status_code == 201


async def test_knowledge_that_finds_a_read_only_directory_is_refused_and_taken_once_it_is_writable(
    platform: Platform, alice: Person
) -> None:
    data: Path = platform.process.settings.core.data_dir
    with mounted(data, "-t", "tmpfs", "-o", "ro", "none"):
        refused(await alice.client.post(UPLOADS, content=packed()), "storage_not_writable")
        assert (await alice.get("/api/v4/executions")).status_code == 200

    assert (await alice.client.post(UPLOADS, content=packed())).status_code == 201
