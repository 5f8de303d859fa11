"""A creation followed by server-sent events, over several API processes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from promptcraft.app.up.servers import Urls
from tests.agents.conftest import Creates, work
from tests.agents.test_interrupted_steps import requested
from tests.api_processes import ApiProcess, api_process
from tests.conftest import Platform
from tests.event_streams import Event, followed
from tests.mcp_servers import serving, short_directory
from tests.people import Person

CREATION = "/api/v4/admin/agents/creation"


@pytest.fixture(scope="module")
def environment(urls: Urls, platform: Platform) -> dict[str, str]:
    return {
        "PROMPTCRAFT_DATA_DIR": str(platform.process.settings.core.data_dir),
        "ANALYTICS_DB_URL": urls.owner,
        "PROMPTCRAFT_DB_APP_URL": urls.app,
        "PROMPTCRAFT_DB_SYSTEM_URL": urls.system,
        "REDIS_URL": urls.redis,
        "PROMPTCRAFT_MASTER_KEY": "k" * 43,
    }


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api") / "api.log"


@pytest.fixture(scope="module")
def second(environment: dict[str, str], log: Path) -> Iterator[ApiProcess]:
    with api_process(environment, log) as running:
        yield running


@asynccontextmanager
async def at(process: ApiProcess, person: Person) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": person.client.headers["Authorization"]}
    async with httpx.AsyncClient(base_url=process.url, headers=headers, timeout=30) as client:
        yield client


async def rest(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


def steps_of(event: Event) -> dict[str, str]:
    return {step["name"]: step["status"] for step in event.data["data"]["steps"]}


async def test_who_was_following_at_a_killed_process_goes_on_at_another_and_misses_nothing(
    alice: Person, platform: Platform, environment: dict[str, str], log: Path, second: ApiProcess
):
    creation = await requested(alice, "follower", deploy=False)
    path = f"{CREATION}/{creation}/events"
    seen: list[Event] = []
    with api_process(environment, log) as first:
        async with at(first, alice) as client, followed(client, path) as events:
            seen.append(await anext(events))
            working = asyncio.create_task(work(platform))
            seen += [await anext(events), await anext(events)]
            first.kill()
            with pytest.raises(httpx.TransportError):
                await rest(events)

    async with at(second, alice) as client, followed(client, path, after=seen[-1].id) as events:
        later = await rest(events)
    await working

    assert seen[0].data["data"]["status"] == "pending"
    ids = [event.id for event in (*seen, *later)]
    assert ids == sorted(set(ids))
    assert {event.name for event in (*seen, *later[:-1])} == {"progress"}
    assert later[-1].name == "end"
    assert later[-1].data == (await alice.get(f"{CREATION}/{creation}/status")).json()
    assert set(steps_of(later[-1]).values()) == {"completed"}


async def test_a_process_that_is_told_to_stop_lets_its_streams_go(
    alice: Person, platform: Platform, environment: dict[str, str], log: Path
):
    creation = await requested(alice, "still_waiting", deploy=False)
    with api_process(environment, log) as stopping:
        async with at(stopping, alice) as client, followed(client, f"{CREATION}/{creation}/events") as events:
            await anext(events)
            stopping.process.terminate()
            seen = await rest(events)

    assert seen == []


async def test_ids_are_the_same_at_every_process_and_nothing_comes_twice(
    alice: Person, create: Creates, second: ApiProcess, environment: dict[str, str], log: Path
):
    creation = await requested(alice, "repeated", deploy=False)
    path = f"{CREATION}/{creation}/events"
    with api_process(environment, log) as first:
        async with at(first, alice) as here, followed(here, path) as events:
            begin = await anext(events)
        async with at(second, alice) as there, followed(there, path) as events:
            assert await anext(events) == begin
        cancelled = await alice.post(f"{CREATION}/{creation}/cancel")
        async with at(second, alice) as there, followed(there, path, after=begin.id) as events:
            turned = await anext(events)

    assert cancelled.status_code == 202
    assert turned.name == "progress"
    assert turned.id > begin.id
    assert turned.data["data"]["error"] == f"{alice.name} cancelled it."


async def test_a_creation_is_followed_to_its_end_without_redis(
    alice: Person, platform: Platform, environment: dict[str, str], log: Path
):
    creation = await requested(alice, "without_redis", deploy=False)
    with api_process(environment | {"REDIS_URL": "redis://127.0.0.1:9/0"}, log) as alone:
        async with at(alone, alice) as client, followed(client, f"{CREATION}/{creation}/events") as events:
            await anext(events)
            await work(platform)
            async with asyncio.timeout(60):
                seen = await rest(events)

    assert seen[-1].name == "end"
    assert seen[-1].data["data"]["status"] == "completed"


async def test_what_has_ended_tells_its_end_and_nothing_after_it(alice: Person, platform: Platform, second: ApiProcess):
    creation = await requested(alice, "ended_before", deploy=False)
    await work(platform)
    path = f"{CREATION}/{creation}/events"

    async with at(second, alice) as client:
        async with followed(client, path) as events:
            seen = await rest(events)
        after = await client.get(path, headers={"Last-Event-ID": str(seen[-1].id)})

    assert [event.name for event in seen] == ["end"]
    assert (after.status_code, after.content) == (204, b"")


async def test_another_organisations_creation_and_one_that_never_was_cannot_be_followed(
    alice: Person, stranger: Person, platform: Platform
):
    creation = await requested(alice, "not_yours", deploy=False)

    answers = [await stranger.get(f"{CREATION}/{creation}/events") for creation in (creation, alice.user_id)]
    answers.append(await alice.get(f"/api/v4/admin/agents/deployments/{creation}/events"))

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[0].json()["code"] == "creation_not_found"
    assert answers[2].json()["code"] == "deployment_not_found"


async def test_a_stream_ends_with_the_session_of_who_opened_it(
    person: Callable[..., Person], platform: Platform, second: ApiProcess
):
    leaver = await person("admin")
    creation = await requested(leaver, "left_open", deploy=False)

    async with at(second, leaver) as client, followed(client, f"{CREATION}/{creation}/events") as events:
        await anext(events)
        assert (await leaver.post("/auth/logout")).status_code == 204
        async with asyncio.timeout(10):
            seen = await rest(events)

    assert [event.name for event in seen] == ["problem"]
    assert (seen[0].data["status"], seen[0].data["code"]) == (401, "session_over")


async def test_a_user_has_so_many_streams_at_once_and_they_hold_no_connection_of_the_database(
    person: Callable[..., Person], platform: Platform
):
    follower = await person("admin")
    creation = await requested(follower, "much_watched", deploy=False)
    path = f"{CREATION}/{creation}/events"
    headers = {"Authorization": follower.client.headers["Authorization"]}

    async with short_directory() as directory, serving(platform.asgi, directory / "front.sock") as socket:
        transport = httpx.AsyncHTTPTransport(uds=socket, limits=httpx.Limits(max_connections=None))
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://platform", headers=headers, timeout=20) as client,
            AsyncExitStack() as open_streams,
        ):
            last = AsyncExitStack()
            kept: list[AsyncIterator[Event]] = []
            for number in range(20):
                stack = last if number == 19 else open_streams
                kept.append(await stack.enter_async_context(followed(client, path)))
                await anext(kept[-1])
            held = platform.db.app.pool.checkedout()
            refused = await client.get(path)
            await last.aclose()
            async with asyncio.timeout(10):
                while (again := await client.send(client.build_request("GET", path), stream=True)).status_code == 429:
                    await again.aclose()
            admitted = again.status_code
            await again.aclose()

    assert held == 0
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    assert admitted == 200
