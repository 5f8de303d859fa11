"""Ending an execution before it has an answer: by a request, by hanging up, and against its own end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from promptcraft.app.up.servers import Urls
from promptcraft.kernel.audit.catalogue.kernel import ACCESS_DENIED, REQUEST_INVALID
from promptcraft.kernel.audit.catalogue.orchestrator import (
    EXECUTION_CANCELLED,
    EXECUTION_COMPLETED,
    EXECUTION_DISCONNECTED,
)
from promptcraft.kernel.db import unit_of_work
from tests.conftest import Arrives, Platform
from tests.event_streams import events_of
from tests.mcp_servers import serving, short_directory
from tests.orchestrator.conftest import Agents, knows, knows_not
from tests.orchestrator.test_executions import left_running
from tests.people import Person

ASK = {"query": "When is the VAT return due?", "agent": "slow"}
EXECUTIONS = "/api/v4/executions"


class Slow:
    """An agent that answers when it is told to, and knows whether somebody gave up waiting for it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.given_up = asyncio.Event()

    async def __call__(self, query: str, context: Sequence[str]) -> Any:
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return await knows(query, context)


@pytest.fixture
async def slow(agents: Agents) -> Slow:
    behaviour = Slow()
    await agents.start("slow", behaviour)
    return behaviour


@pytest.fixture
async def connected(platform: Platform) -> AsyncIterator[Callable[[Person], httpx.AsyncClient]]:
    """Clients over connections that can be closed, of the platform as a server runs it."""
    made: list[httpx.AsyncClient] = []

    async with short_directory() as directory, serving(platform.asgi, directory / "front.sock") as socket:

        def connect(somebody: Person) -> httpx.AsyncClient:
            headers = {"Authorization": somebody.client.headers["Authorization"]}
            transport = httpx.AsyncHTTPTransport(uds=socket)
            made.append(httpx.AsyncClient(transport=transport, base_url="http://p", headers=headers, timeout=30))
            return made[-1]

        yield connect
        for client in made:
            await client.aclose()


async def running(somebody: Person, slow: Slow) -> str:
    """The id of the execution that the slow agent works on."""
    async with asyncio.timeout(20):
        await slow.asked.wait()
    (newest,) = (await somebody.get(EXECUTIONS, limit=1)).json()["data"]
    assert newest["status"] == "running"
    return newest["execution_id"]


async def facts_of(somebody: Person, execution_id: str) -> list[str]:
    """What higher contexts are told of the execution."""
    async with unit_of_work(somebody.db, somebody.actor) as session:
        found = await session.scalars(
            text(
                "select payload::json ->> 'status' from kernel.outbox"
                " where topic = 'orchestrator.execution_finished' and payload::json ->> 'execution_id' = :id"
            ),
            {"id": execution_id},
        )
        return list(found)


async def ended(somebody: Person, execution_id: str) -> dict[str, Any]:
    """The execution once it has ended."""
    async with asyncio.timeout(20):
        while True:
            found = (await somebody.get(f"{EXECUTIONS}/{execution_id}")).json()["data"]
            if found["status"] != "running":
                return found
            await asyncio.sleep(0.02)


async def test_a_cancelled_execution_ends_for_its_agent_its_asker_and_the_record(alice: Person, slow: Slow):
    asking = asyncio.create_task(alice.post("/api/v4/execute", ASK))
    execution_id = await running(alice, slow)

    cancelled = await alice.post(f"{EXECUTIONS}/{execution_id}/cancel")
    again = await alice.post(f"{EXECUTIONS}/{execution_id}/cancel")

    answer = await asking
    async with asyncio.timeout(20):
        await slow.given_up.wait()
    assert (answer.status_code, answer.json()["code"]) == (409, "execution_cancelled")
    data = cancelled.json()["data"]
    assert (cancelled.status_code, data["status"], data["answer"]) == (200, "cancelled", None)
    assert data["error"] == f"{alice.name} cancelled it."
    assert data["response_time_ms"] >= 0
    assert (again.status_code, again.json()) == (200, cancelled.json())
    assert await alice.events() == [EXECUTION_CANCELLED.id]
    assert await facts_of(alice, execution_id) == ["cancelled"]


@pytest.mark.parametrize("how", ["application/json", "text/event-stream"])
async def test_hanging_up_cancels_the_execution_and_what_its_agent_does(
    alice: Person, slow: Slow, connected: Callable[[Person], httpx.AsyncClient], how: str
):
    client = connected(alice)
    asking = asyncio.create_task(client.post("/api/v4/execute", json=ASK, headers={"Accept": how}))
    execution_id = await running(alice, slow)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    found = await ended(alice, execution_id)
    async with asyncio.timeout(20):
        await slow.given_up.wait()
    assert (found["status"], found["answered"]) == ("cancelled", False)
    assert [(step["name"], step["status"]) for step in found["steps"]] == [("route", "completed"), ("ask", "cancelled")]
    assert await alice.events() == [EXECUTION_DISCONNECTED.id]
    assert await facts_of(alice, execution_id) == ["cancelled"]


async def test_cancel_and_answer_at_the_same_moment_leave_one_end(alice: Person, slow: Slow, platform: Platform):
    ends: set[str] = set()
    for _ in range(6):
        slow.asked.clear()
        slow.may_answer.clear()
        before = len(await alice.events())
        asking = asyncio.create_task(alice.post("/api/v4/execute", ASK))
        execution_id = await running(alice, slow)

        slow.may_answer.set()
        cancelling = await alice.post(f"{EXECUTIONS}/{execution_id}/cancel")
        answer = await asking

        won = (await alice.get(f"{EXECUTIONS}/{execution_id}")).json()["data"]["status"]
        codes = {"completed": (200, 409), "cancelled": (409, 200)}
        assert (answer.status_code, cancelling.status_code) == codes[won]
        assert await facts_of(alice, execution_id) == [won]
        event = {"completed": EXECUTION_COMPLETED.id, "cancelled": EXECUTION_CANCELLED.id}[won]
        left = (await alice.events())[before:]
        assert [one for one in left if one != REQUEST_INVALID.id] == [event]
        ends.add(won)
    assert ends


async def test_what_has_ended_is_not_cancelled(alice: Person, agents: Agents):
    await agents.start("quick", knows)
    answered = (await alice.post("/api/v4/execute", ASK | {"agent": "quick"})).json()["data"]

    refused = await alice.post(f"{EXECUTIONS}/{answered['execution_id']}/cancel")

    assert (refused.status_code, refused.json()["code"]) == (409, "execution_over")
    assert await alice.events() == [EXECUTION_COMPLETED.id, REQUEST_INVALID.id]
    assert (await alice.get(f"{EXECUTIONS}/{answered['execution_id']}")).json()["data"] == answered


async def test_who_may_cancel_whose(alice: Person, stranger: Person, person: Arrives, slow: Slow):
    asker = await person("analyst")
    colleague, viewer = await person("analyst"), await person("viewer")
    analyst = await person("analyst", groups=("data-team",))
    asking = asyncio.create_task(asker.post("/api/v4/execute", ASK))
    execution_id = await running(asker, slow)
    path = f"{EXECUTIONS}/{execution_id}/cancel"

    for who, status in ((stranger, 404), (colleague, 404), (analyst, 403), (viewer, 403)):
        assert (await who.post(path)).status_code == status, who.name
    assert await analyst.events() == [ACCESS_DENIED.id]
    assert (await alice.post(path)).status_code == 200

    assert (await asking).status_code == 409
    assert await alice.events() == [EXECUTION_CANCELLED.id]


async def test_an_execution_whose_process_was_killed_can_be_cancelled_once(alice: Person, agents: Agents, urls: Urls):
    execution_id = await left_running(alice, agents, urls)

    cancelled = await alice.post(f"{EXECUTIONS}/{execution_id}/cancel")

    assert (cancelled.status_code, cancelled.json()["data"]["status"]) == (200, "cancelled")
    assert await facts_of(alice, execution_id) == ["cancelled"]


async def test_an_execution_is_followed_while_agents_are_asked_in_turn(
    alice: Person, agents: Agents, slow: Slow, connected: Callable[[Person], httpx.AsyncClient]
):
    keywords = {"domain": "finance", "keywords": ("vat", "return")}
    await agents.start("knows_not", knows_not, **keywords, environment="production")
    await agents.start("slow_too", slow, **keywords)
    asking = asyncio.create_task(alice.post("/api/v4/execute", {"query": "When is the VAT return due?"}))
    execution_id = await running(alice, slow)

    async with connected(alice).stream("GET", f"{EXECUTIONS}/{execution_id}/events") as response:
        events = events_of(response)
        begun = await anext(events)
        slow.may_answer.set()
        later = [event async for event in events]
    answered = (await asking).json()

    assert begun.name == "progress"
    assert [step["name"] for step in begun.data["data"]["steps"]] == ["route", "ask"]
    assert [event.name for event in later] == ["end"]
    assert later[-1].data["data"] == answered["data"]
    assert later[-1].id > begun.id
