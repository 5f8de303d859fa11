"""Every route that changes something leaves what the catalogue lists for its success: all of it and nothing else.

Generated from the routes; a new one needs a request that succeeds in tests/events/successes.py.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from promptcraft.kernel.audit import Outcome
from tests.agents.conftest import host as host
from tests.agents.conftest import uploaded, work
from tests.conftest import Platform
from tests.events.successes import BUILT, RUNNING, SUCCESSES, Asking, Success, World
from tests.events.test_every_mutating_route import DOORS, left
from tests.gateway.provider import FakeProvider, running
from tests.mcp_servers import short_directory
from tests.orchestrator.conftest import Agents
from tests.people import Person, arrive


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[FakeProvider]:
    async with running(FakeProvider()) as fake:
        yield fake


@pytest.fixture(scope="module")
def settings_given(provider: FakeProvider) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": provider.address,
        "OPENAI_API_KEY": "key",
        "PROMPTCRAFT_MODEL_PRIVATE_NETWORKS": "127.0.0.0/8",
    }


async def _have_agents(platform: Platform, mighty: Person, world: World) -> None:
    """The agents of BUILT and of RUNNING, at once."""
    for name in (*BUILT, *RUNNING):
        body = {"agent_spec": world.spec(name), "deployment_config": {"auto_deploy": name in RUNNING}}
        await world.did("POST", "/api/v4/admin/agents/create", json=body)
    await work(platform)
    for name in RUNNING:
        shown = await world.did("GET", f"/api/v4/admin/agents/{name}")
        assert shown["status"] == "running", shown


@pytest.fixture(scope="module")
async def world(
    platform: Platform, provider: FakeProvider, host: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with short_directory() as directory, AsyncExitStack() as leaving:
        mighty = await arrive(
            platform.parts.identity, platform.asgi, platform.acme, "mighty", ("admin", "platform_admin")
        )
        leaving.push_async_callback(mighty.client.aclose)
        agents = Agents(platform.db, platform.acme, directory, leaving)
        await agents.start("desk")
        clones: Path = tmp_path_factory.mktemp("clones")
        made = World(platform, mighty, agents, provider.address, await uploaded(mighty), clones, leaving)
        await _have_agents(platform, mighty, made)
        yield made


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


@pytest.mark.parametrize("success", SUCCESSES, ids=str)
@pytest.mark.timeout(60)
async def test_success_leaves_what_the_catalogue_lists_for_it(success: Success, platform: Platform, world: World):
    async with success.prepare(world) as asking:
        status, request_id = await ask(world, success.operation, asking)

        assert 200 <= status < 300
        assert tuple(sorted(await left(platform, request_id))) == success.leaves
