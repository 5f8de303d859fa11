"""An agent of the SDK that words its answers by a model, asked over a socket of its own."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptcraft.app.doors import MODELS, ModelDoors, agents_asgi
from promptcraft.gateway.service.grants import Grant
from promptcraft.kernel import clock
from promptcraft.kernel.audit.catalogue.gateway import MODEL_CALL_FAILED, MODEL_CALLED, POLICY_CHANGED
from promptcraft.kernel.audit.catalogue.orchestrator import EXECUTION_COMPLETED, EXECUTION_DECLINED
from promptcraft.kernel.ids import new_id
from promptcraft.runtime import InstanceSpec, Wanted
from promptcraft_sdk.agent import Agent as SdkAgent
from promptcraft_sdk.agent.model import PlatformModel
from promptcraft_sdk.configuration import AgentConfig
from promptcraft_sdk.knowledge import ingest, load_index
from tests.event_streams import Event, events_of
from tests.gateway.conftest import CHAT, HELLO, calls, taken_in
from tests.gateway.provider import Behaviour, hangs, refuses, slowly, stops_midway, streams
from tests.gateway.test_providers import ANY_STATE, POLICY
from tests.mcp_servers import serving
from tests.orchestrator.conftest import Agents, breaks
from tests.orchestrator.conftest import agents as agents
from tests.orchestrator.test_execute import ask
from tests.orchestrator.test_sdk_agent import INVOICES, RETURNS

QUESTION = "When is the VAT return due?"
EXTRACT = "10th day after the end of the quarter"


def says(text: str) -> Behaviour:
    return streams(*re.findall(r"\S+\s*", text))


def wanted(platform: Any, name: str) -> Wanted:
    spec = InstanceSpec(instance_id=new_id(), name=name, code=Path("/"), environment=Path("/"), argv=("x",))
    return Wanted(platform.acme, spec.instance_id, "host", 1, 0, False, name, "1", "development", "no", spec)


@pytest.fixture
async def door(platform, agents: Agents) -> AsyncIterator[Path]:
    """The socket by which the agent tax_advisor reaches the platform."""
    doors = ModelDoors(agents_asgi(platform.process, platform.parts.gateway), agents.directory)
    async with doors.open(wanted(platform, "tax_advisor")) as sockets:
        yield sockets[MODELS]


@pytest.fixture
async def tax_advisor(door: Path, agents: Agents, tmp_path: Path) -> AsyncIterator[None]:
    documents = tmp_path / "documents" / "vat"
    documents.mkdir(parents=True)
    (documents / "returns.md").write_text(RETURNS)
    (documents / "invoices.md").write_text(INVOICES)
    ingest(tmp_path / "documents", tmp_path / "index")
    config = AgentConfig(name="tax_advisor", display_name="Tax advisor", domain="finance", keywords=("vat", "invoice"))
    agent = SdkAgent(config, load_index(tmp_path / "index"), "3f2c9d1" + "0" * 33, model=PlatformModel(door))
    async with serving(agent.app(), agents.directory / "sdk.sock") as endpoint:
        await agents.register("tax_advisor", endpoint, domain="finance", keywords=("vat", "invoice"))
        yield


@pytest.fixture
async def with_model(alice) -> AsyncIterator[None]:
    await alice.client.put(POLICY, json={"agent_models": {"tax_advisor": "gpt-4o"}}, headers=ANY_STATE)
    yield
    await alice.client.put(POLICY, json={}, headers=ANY_STATE)


async def test_agent_answers_in_a_models_words_and_cites_what_they_stand_on(
    alice, platform, provider, tax_advisor, with_model
):
    provider.will(says("It is due ten days after the quarter [1][7]."))

    said = await ask(alice, QUESTION)

    assert (said["answered"], said["answer"]) == (True, "It is due ten days after the quarter [1].")
    assert [citation["file"] for citation in said["citations"]] == ["vat/returns.md"]
    asked = provider.asked[0].document
    assert asked["model"] == "gpt-4o"
    assert EXTRACT in asked["messages"][-1]["content"]
    assert QUESTION in asked["messages"][-1]["content"]


async def test_tokens_and_cost_reach_the_execution_the_list_and_the_insights(
    person, platform, provider, tax_advisor, with_model
):
    boss = await person("admin")
    provider.will(says("On the 10th day [1]."))

    said = await ask(boss, QUESTION)
    await taken_in(platform)

    [listed] = (await boss.get("/api/v4/executions", limit=1)).json()["data"]
    report = (await boss.get("/api/v4/analytics/insights", time_range="7d", user_filter=str(boss.user_id))).json()
    assert (said["tokens"], said["cost"]) == (listed["tokens"], listed["cost"]) == (1100, 0.0035)
    assert report["data"]["summary"]["total_cost"] == 0.0035
    [call] = await calls(boss)
    assert (call["agent"], str(call["execution_id"])) == ("tax_advisor", said["execution_id"])
    assert await boss.events() == [MODEL_CALLED.id, EXECUTION_COMPLETED.id]


async def streamed(live: httpx.AsyncClient, **asked: Any) -> AsyncIterator[Event]:
    wanted = {"Accept": "text/event-stream"}
    async with live.stream("POST", "/api/v4/execute", json={"query": QUESTION, **asked}, headers=wanted) as response:
        assert response.status_code == 200
        async for event in events_of(response):
            yield event


async def test_words_of_a_model_reach_who_asked_while_it_still_speaks(
    live, alice, platform, provider, tax_advisor, with_model
):
    go_on = asyncio.Event()
    provider.will(slowly("It is due ten days after ", "the quarter [", "2][7].", go_on=go_on))
    events = streamed(live)

    before = [await anext(events) for _ in range(4)]
    go_on.set()
    after = [event async for event in events]

    assert [event.name for event in before] == ["execution", "agent", "passages", "delta"]
    begun, agent, passages, first = (event.data for event in before)
    assert agent == {"agent": "tax_advisor", "environment": "development"}
    assert passages["citations"][0]["file"].startswith("vat/")
    assert [event.name for event in after] == [*["delta"] * (len(after) - 1), "end"]
    end = after[-1].data
    words = first["text"] + "".join(event.data["text"] for event in after[:-1])
    assert words == end["data"]["answer"] == "It is due ten days after the quarter [1]."
    assert begun["execution_id"] == end["data"]["execution_id"]
    assert end == (await alice.get(f"/api/v4/executions/{begun['execution_id']}")).json()


async def test_a_streamed_execution_leaves_what_an_unstreamed_one_does(
    person, live, platform, provider, tax_advisor, with_model
):
    boss = await person("admin")
    live.headers["Authorization"] = boss.client.headers["Authorization"]
    provider.will(says("On the 10th day [1]."), says("On the 10th day [1]."))

    plain = await ask(boss, QUESTION)
    end = [event async for event in streamed(live)][-1].data["data"]

    own = ("execution_id", "session_id", "created_at", "response_time_ms", "trace_id", "steps")
    assert {k: v for k, v in end.items() if k not in own} == {k: v for k, v in plain.items() if k not in own}
    assert [step["status"] for step in end["steps"]] == [step["status"] for step in plain["steps"]]
    assert await boss.events() == [MODEL_CALLED.id, EXECUTION_COMPLETED.id] * 2
    one, other = await calls(boss)
    assert (one["streamed"], one["input_tokens"]) == (other["streamed"], other["input_tokens"])


@pytest.mark.parametrize(
    "failure", [stops_midway, says("It is due on the 10th.")], ids=["stops midway", "cites nothing"]
)
async def test_words_that_do_not_count_are_withdrawn(live, provider, tax_advisor, with_model, failure):
    provider.will(failure)

    events = [event async for event in streamed(live)]

    assert [event.name for event in events][-2:] == ["withdrawn", "end"]
    assert EXTRACT in events[-1].data["data"]["answer"]


async def test_without_a_model_the_whole_answer_comes_at_once(live, provider, tax_advisor):
    events = [event async for event in streamed(live)]

    assert [event.name for event in events] == ["execution", "agent", "end"]
    assert EXTRACT in events[-1].data["data"]["answer"]


async def test_what_cannot_be_asked_is_refused_with_its_status_and_a_failing_agent_in_the_stream(
    live, platform, agents, tax_advisor
):
    headers = {"Accept": "text/event-stream"}
    missing = await live.post("/api/v4/execute", json={"query": QUESTION, "agent": "nobody_here"}, headers=headers)
    await agents.start("broken", breaks)

    events = [event async for event in streamed(live, agent="broken")]

    assert (missing.status_code, missing.json()["code"]) == (404, "agent_not_found")
    assert [event.name for event in events] == ["execution", "agent", "problem"]
    assert (events[-1].data["status"], events[-1].data["code"]) == (502, "agent_failed")


@pytest.mark.parametrize("failure", [refuses(400), says("It is due on the 10th.")], ids=["refuses", "cites nothing"])
async def test_model_that_is_of_no_use_is_done_without_and_that_is_said(
    alice, provider, tax_advisor, with_model, failure
):
    provider.will(failure)

    said = await ask(alice, QUESTION)

    assert EXTRACT in said["answer"]
    assert "so these are the documents' own words" in said["answer"]
    assert said["citations"]


async def test_model_that_hangs_leaves_the_agent_the_time_to_answer(alice, provider, tax_advisor, with_model):
    await ask(alice, QUESTION)  # what a model takes is loaded
    provider.will(hangs, hangs)

    said = await ask(alice, QUESTION, time_limit_seconds=3)

    assert EXTRACT in said["answer"]
    assert "own words" in said["answer"]


async def test_what_the_model_does_not_find_in_the_passages_is_declined(alice, provider, tax_advisor, with_model):
    provider.will(says("NOT FOUND"))

    said = await ask(alice, QUESTION)

    assert (said["answered"], said["citations"]) == (False, [])
    assert (await alice.events())[-1] == EXECUTION_DECLINED.id


async def test_agent_without_a_model_quotes_and_asks_nobody(alice, provider, tax_advisor):
    provider.will()

    said = await ask(alice, QUESTION)

    assert EXTRACT in said["answer"]
    assert "own words" not in said["answer"]
    assert (said["tokens"], said["cost"]) == (0, 0.0)
    assert provider.asked == []


async def test_cost_that_nobody_knows_is_null(alice, provider, tax_advisor, with_model):
    provider.will(refuses(400))

    said = await ask(alice, QUESTION)

    assert (said["tokens"], said["cost"]) == (None, None)
    assert await alice.events() == [POLICY_CHANGED.id, MODEL_CALL_FAILED.id, EXECUTION_COMPLETED.id]


def through(door: Path, token: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.AsyncHTTPTransport(uds=str(door))
    return httpx.AsyncClient(transport=transport, base_url="http://platform", headers=headers)


def grant_of(platform: Any, agent: str = "tax_advisor", org: str = "acme", seconds: float = 30) -> str:
    """What the platform would put into a request for this agent."""
    ends_at = clock.now() + timedelta(seconds=seconds)
    grant = Grant(getattr(platform, org), agent, new_id(), new_id(), ends_at)
    return platform.parts.gateway.grants.write(grant)


async def test_grant_of_an_execution_opens_the_agents_own_model_and_no_other(platform, provider, door, with_model):
    provider.will()
    async with through(door, grant_of(platform)) as client:
        own = await client.post(CHAT, json={**HELLO, "model": "default"})
        other = await client.post(CHAT, json={**HELLO, "model": "gpt-4o-mini"})
        listed = await client.get("/api/v4/models/v1/models")

    assert (own.status_code, other.status_code, listed.status_code) == (200, 403, 403)
    assert [asked.document["model"] for asked in provider.asked] == ["gpt-4o"]


@pytest.mark.parametrize(
    "grant",
    [
        {"agent": "hr_assistant"},
        {"org": "rival"},
        {"seconds": -1},
    ],
    ids=["another agent's", "another organisation's", "over"],
)
async def test_grant_of_another_is_refused_at_this_door(platform, provider, door, with_model, grant):
    provider.will()
    async with through(door, grant_of(platform, **grant)) as client:
        answer = await client.post(CHAT, json={**HELLO, "model": "default"})

    assert (answer.status_code, answer.json()["code"]) == (401, "grant_refused")
    assert provider.asked == []


@pytest.mark.parametrize("token", ["x", "é" * 30, "A" * 2_000, "QUJD" * 20])
async def test_what_is_no_grant_is_refused(platform, door, token):
    async with through(door, "") as client:
        headers = {"Authorization": f"Bearer {token}".encode()}
        answer = await client.post(CHAT, json=HELLO, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "grant_refused")


async def test_persons_token_opens_no_agents_door(alice, door):
    async with through(door, alice.client.headers["Authorization"].removeprefix("Bearer ")) as client:
        answer = await client.post(CHAT, json=HELLO)

    assert answer.status_code == 401
