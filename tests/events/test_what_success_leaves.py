"""Every route that changes something leaves what the catalogue lists for its success: all of it and nothing else.

Generated from the routes; a new one needs a request that succeeds in tests/events/successes.py.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from starlette.requests import ClientDisconnect

from promptcraft.app.up.servers import Urls
from promptcraft.kernel.audit import Outcome
from promptcraft.kernel.audit.catalogue.kernel import REQUEST_INVALID
from promptcraft.kernel.audit.catalogue.orchestrator import EXECUTION_DISCONNECTED
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.kernel.ids import new_id
from tests.agents.conftest import host as host
from tests.agents.conftest import uploaded, work
from tests.conftest import Platform
from tests.events.successes import BUILT, RUNNING, SUCCESSES, Asking, Success, World
from tests.events.test_every_mutating_route import DOORS, left
from tests.gateway.conftest import provider as provider
from tests.gateway.provider import FakeProvider
from tests.mcp_servers import short_directory
from tests.orchestrator.conftest import Agents
from tests.people import arrive
from tests.tenants.conftest import Estate

OF_AGENTS = [one for one in SUCCESSES if "/agents/{name}" in one.operation]
OTHERS = [one for one in SUCCESSES if one not in OF_AGENTS]


@pytest.fixture(scope="module")
def settings_given(provider: FakeProvider) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": provider.address,
        "OPENAI_API_KEY": "key",
        "PROMPTCRAFT_MODEL_PRIVATE_NETWORKS": "127.0.0.0/8",
    }


@pytest.fixture(scope="module")
async def world(
    platform: Platform, provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with short_directory() as directory, AsyncExitStack() as leaving:
        mighty = await arrive(
            platform.parts.identity, platform.asgi, platform.acme, "mighty", ("admin", "platform_admin")
        )
        leaving.push_async_callback(mighty.client.aclose)
        agents = Agents(platform.db, platform.acme, directory, leaving)
        await agents.start("desk")
        clones: Path = tmp_path_factory.mktemp("clones")
        yield World(platform, mighty, agents, provider.address, await uploaded(mighty), clones, leaving)


@pytest.fixture(scope="module")
async def world_with_agents(platform: Platform, world: World, host: None) -> World:
    """The agents of BUILT and of RUNNING are there, made at once."""
    for name in (*BUILT, *RUNNING):
        body = {"agent_spec": world.spec(name), "deployment_config": {"auto_deploy": name in RUNNING}}
        await world.did("POST", "/api/v4/admin/agents/create", json=body)
    await work(platform)
    for name in RUNNING:
        shown = await world.did("GET", f"/api/v4/admin/agents/{name}")
        assert shown["status"] == "running", shown
    return world


async def ask(world: World, operation: str, asking: Asking) -> tuple[int, str]:
    """The status of the answer and the id of the request."""
    method, path = operation.split(" ", 1)
    answer = await (asking.client or world.mighty.client).request(
        method, path.format_map(asking.path), json=asking.body, content=asking.content, headers=asking.headers
    )
    return answer.status_code, answer.headers["x-request-id"]


def test_every_route_that_changes_something_has_a_request_that_succeeds():
    """Add to tests/events/successes.py one for a new route, with the events of its success."""
    assert sorted({one.operation for one in SUCCESSES}) == sorted(DOORS)


@pytest.mark.parametrize("operation", sorted(DOORS))
def test_what_is_tried_is_what_the_catalogue_lists(operation: str):
    """All that the catalogue lists for success, and nothing that it does not list (`outcomes` and `besides`)."""
    event = DOORS[operation].event
    assert event is not None
    tried = [one.leaves for one in SUCCESSES if one.operation == operation]

    expected = set(event.leaves(Outcome.SUCCESS))
    assert any(expected <= set(leaves) for leaves in tried)
    assert {one for leaves in tried for one in leaves} <= expected | set(event.besides)


async def leaves_that(success: Success, world: World) -> None:
    async with asyncio.timeout(60), success.prepare(world) as asking:
        status, request_id = await ask(world, success.operation, asking)

        assert 200 <= status < 300
        assert tuple(sorted(await left(world.platform, request_id))) == success.leaves


@pytest.mark.parametrize("success", OTHERS, ids=str)
async def test_success_leaves_what_the_catalogue_lists_for_it(success: Success, world: World):
    await leaves_that(success, world)


@pytest.mark.parametrize("success", OF_AGENTS, ids=str)
async def test_success_with_an_agent_leaves_what_the_catalogue_lists_for_it(success: Success, world_with_agents: World):
    await leaves_that(success, world_with_agents)


async def hangs_up(world: World, operation: str, asking: Asking) -> tuple[int, ...]:
    """Send the whole request and close at once; gives the events that it left, in ascending order."""
    mark = str(new_id())
    method, path = operation.split(" ", 1)
    client = asking.client or world.mighty.client
    built = client.build_request(
        method, path.format_map(asking.path), json=asking.body, content=asking.content,
        headers={**asking.headers, "X-Request-ID": mark},
    )  # fmt: skip
    coming = iter([{"type": "http.request", "body": built.read(), "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(coming, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        raise OSError("the connection is closed")

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": built.url.path, "raw_path": built.url.raw_path, "root_path": "", "query_string": b"",
        "headers": [(name.lower(), value) for name, value in built.headers.raw], "client": ("192.0.2.7", 4711),
        "server": ("promptcraft.test", 80),
    }  # fmt: skip
    with suppress(OSError, ClientDisconnect):
        await world.platform.asgi(scope, receive, send)
    async with system_unit_of_work(world.platform.db) as session:
        found = await session.scalars(
            text("select catalogue_id from audit.event where canonical::json #>> '{context,correlation_id}' = :mark"),
            {"mark": mark},
        )
        return tuple(sorted(found))


@pytest.fixture(scope="module")
def estate(urls: Urls, platform: Platform) -> Iterator[Estate]:
    engine = create_engine(urls.owner)
    yield Estate(engine, platform.process.settings.core.data_dir, platform.acme)
    engine.dispose()


@pytest.mark.parametrize("success", OTHERS, ids=str)
async def test_who_hangs_up_after_asking_has_it_done_once_or_not_at_all(success: Success, world: World, estate: Estate):
    """What was done is told in the log, once; where nothing was, the log tells of the hanging up at most."""
    event = DOORS[success.operation].event
    assert event is not None
    async with asyncio.timeout(60), success.prepare(world) as asking:
        before = _without_log(estate)

        ended = await hangs_up(world, success.operation, asking)

        assert ended in (success.leaves, event.leaves(Outcome.DISCONNECT), ())
        if ended != success.leaves and event.leaves(Outcome.DISCONNECT) == (REQUEST_INVALID.id,):
            assert _without_log(estate) == before
        if success.operation == "POST /api/v4/execute":
            assert ended == (EXECUTION_DISCONNECTED.id,)


def _without_log(estate: Estate) -> dict[str, Any]:
    return {name: found for name, found in estate.state().items() if name != "audit.event"}


async def test_an_organisation_without_its_administrator_is_not_founded(world: World):
    body = {"slug": "headless", "name": "Headless", "administrator": world.mighty.name}
    answer = await world.mighty.post("/api/v4/admin/organizations", body)

    assert answer.status_code == 409
    assert await left(world.platform, answer.headers["x-request-id"]) == (REQUEST_INVALID.id,)
    assert "headless" not in (await world.mighty.get("/api/v4/admin/organizations", limit=200)).text
