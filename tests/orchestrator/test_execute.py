"""Asking Zen over HTTP: who is asked, what the caller is told, and what stays behind."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from mcp.server.mcpserver.exceptions import ToolError
from sqlalchemy import text
from sqlalchemy.pool import QueuePool

from promptcraft.kernel.audit.catalogue.orchestrator import (
    EXECUTION_COMPLETED,
    EXECUTION_DECLINED,
    EXECUTION_FAILED,
    EXECUTION_TIMED_OUT,
)
from promptcraft.kernel.db import system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.runtime import InstanceDesired, desire
from tests.conftest import Arrives, Platform
from tests.orchestrator.conftest import CITED, Agents, breaks, knows, knows_not, never_ends
from tests.people import Person

VAT = "When is the VAT return due?"
TAX: dict[str, Any] = {"domain": "finance", "keywords": ("vat", "invoice"), "description": "Taxes of small companies."}
PEOPLE: dict[str, Any] = {"domain": "people", "keywords": ("holiday", "salary"), "description": "Leave and pay."}


async def ask(somebody: Person, query: str = VAT, **values: Any) -> dict[str, Any]:
    answer = await somebody.post("/api/v4/execute", {"query": query, **values})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_query_goes_to_the_agent_it_is_about_and_comes_back_with_citations(alice: Person, agents: Agents):
    tax = await agents.start("tax_advisor", **TAX, version="3")
    people = await agents.start("hr_assistant", **PEOPLE)

    said = await ask(alice)

    assert (said["agent"], said["agent_version"], said["environment"]) == ("tax_advisor", "3", "development")
    assert (said["status"], said["answered"], said["answer"]) == ("completed", True, f"About: {VAT}")
    assert said["citations"] == [CITED.model_dump()]
    assert (tax.asked, people.asked) == ([(VAT, [])], [])
    assert 0.3 < said["score"] <= 1
    assert (said["cost"], said["tokens"], said["error"]) == (0.0, 0, None)
    assert [(step["name"], step["status"]) for step in said["steps"]] == [("route", "completed"), ("ask", "completed")]
    assert said["response_time_ms"] >= 0
    assert await alice.events() == [EXECUTION_COMPLETED.id]


async def test_below_the_threshold_nothing_is_guessed_and_the_candidates_are_named(alice: Person, agents: Agents):
    tax = await agents.start("tax_advisor", **TAX)
    await agents.start("hr_assistant", **PEOPLE)

    said = await ask(alice, "What is the capital of France?")

    assert (said["status"], said["answered"], said["agent"], said["score"]) == ("completed", False, None, None)
    assert {candidate["agent"] for candidate in said["candidates"]} == {"tax_advisor", "hr_assistant"}
    assert [step["status"] for step in said["steps"]] == ["declined"]
    assert tax.asked == []
    assert await alice.events() == [EXECUTION_DECLINED.id]


async def test_a_named_agent_is_asked_whatever_the_query_is_about(alice: Person, agents: Agents):
    tax = await agents.start("tax_advisor", **TAX)
    people = await agents.start("hr_assistant", **PEOPLE)

    said = await ask(alice, agent="hr_assistant")

    assert (said["agent"], said["score"]) == ("hr_assistant", None)
    assert (len(tax.asked), len(people.asked)) == (0, 1)


async def test_an_agent_that_does_not_know_is_an_answer_and_not_an_error(alice: Person, agents: Agents):
    await agents.start("tax_advisor", knows_not, **TAX)

    said = await ask(alice)

    assert (said["status"], said["answered"], said["answer"]) == ("completed", False, "I do not know.")
    assert (said["agent"], said["citations"]) == ("tax_advisor", [])
    assert await alice.events() == [EXECUTION_DECLINED.id]


async def test_where_two_are_about_as_plausible_the_second_is_asked_if_the_first_declines(
    alice: Person, agents: Agents
):
    first = await agents.start("tax_advisor", knows_not, **TAX)
    second = await agents.start("tax_archive", knows, **TAX)
    third = await agents.start("hr_assistant", knows, **PEOPLE)

    said = await ask(alice)

    assert (said["agent"], said["answered"]) == ("tax_archive", True)
    assert [(step["agent"], step["status"]) for step in said["steps"]] == [
        (None, "completed"),
        ("tax_advisor", "declined"),
        ("tax_archive", "completed"),
    ]
    assert (len(first.asked), len(second.asked), len(third.asked)) == (1, 1, 0)


async def test_who_declined_is_asked_nowhere_else(alice: Person, agents: Agents):
    taxes = [
        await agents.start("tax_advisor", knows_not, **TAX, environment="production"),
        await agents.start("tax_advisor", knows_not, **TAX, environment="staging"),
    ]
    archives = [
        await agents.start("tax_archive", knows_not, **TAX, environment="production"),
        await agents.start("tax_archive", knows_not, **TAX, environment="staging"),
    ]

    await ask(alice)

    assert [len(one.asked) for one in (*taxes, *archives)] == [1, 0, 1, 0]


async def test_of_one_agent_in_several_environments_the_most_serious_is_asked(alice: Person, agents: Agents):
    for environment in ("development", "production", "staging"):
        await agents.start("tax_advisor", **TAX, environment=environment)

    assert (await ask(alice))["environment"] == "production"
    assert (await ask(alice, environment="staging"))["environment"] == "staging"
    assert (await ask(alice, agent="tax_advisor"))["environment"] == "production"


async def test_a_dead_agent_is_replaced_by_the_same_one_in_the_next_environment(alice: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX, environment="staging")
    production = await agents.start("tax_advisor", **TAX, environment="production")
    await production.stop()

    said = await ask(alice)

    assert (said["environment"], said["answered"]) == ("staging", True)
    assert [(step["environment"], step["status"]) for step in said["steps"][1:]] == [
        ("production", "failed"),
        ("staging", "completed"),
    ]


async def test_a_dead_agent_without_another_is_a_problem_that_names_the_execution(alice: Person, agents: Agents):
    await (await agents.start("tax_advisor", **TAX)).stop()

    answer = await alice.post("/api/v4/execute", {"query": VAT})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (503, "agent_unavailable")
    (entry,) = (await alice.get("/api/v4/executions", limit=1)).json()["data"]
    assert entry["execution_id"] in problem["detail"]
    assert (entry["status"], entry["agent"]) == ("failed", "tax_advisor")
    assert await alice.events() == [EXECUTION_FAILED.id]


async def test_an_agent_that_breaks_is_a_bad_gateway_with_its_reason(alice: Person, agents: Agents):
    await agents.start("tax_advisor", breaks, **TAX)

    answer = await alice.post("/api/v4/execute", {"query": VAT})

    assert (answer.status_code, answer.json()["code"]) == (502, "agent_failed")
    assert "Error executing tool ask" in answer.json()["detail"]
    assert await alice.events() == [EXECUTION_FAILED.id]


async def test_a_reason_with_a_character_that_no_database_holds_is_kept_without_it(alice: Person, agents: Agents):
    async def fails(query: str, context: Any) -> Any:
        raise ToolError("no\0disk")

    await agents.start("tax_advisor", fails, **TAX)

    answer = await alice.post("/api/v4/execute", {"query": VAT})

    assert answer.status_code == 502
    assert "no\ufffddisk" in answer.json()["detail"]


async def test_an_agent_whose_answer_is_none_is_a_bad_gateway(alice: Person, agents: Agents):
    async def rambles(query: str, context: Any) -> Any:
        return {"answered": True, "answer": "x" * 200_001}

    await agents.start("tax_advisor", rambles, **TAX)

    answer = await alice.post("/api/v4/execute", {"query": VAT})

    assert (answer.status_code, answer.json()["code"]) == (502, "agent_failed")
    assert "answer: String should have at most 200000 characters" in answer.json()["detail"]


async def test_the_time_limit_ends_an_execution_with_one_event(alice: Person, agents: Agents):
    await agents.start("tax_advisor", never_ends, **TAX)

    answer = await alice.post("/api/v4/execute", {"query": VAT, "time_limit_seconds": 0.3})

    assert (answer.status_code, answer.json()["code"]) == (504, "execution_timed_out")
    (entry,) = (await alice.get("/api/v4/executions", limit=1)).json()["data"]
    assert entry["status"] == "timed_out"
    assert 300 <= entry["response_time_ms"] < 30_000
    assert await alice.events() == [EXECUTION_TIMED_OUT.id]


async def test_the_time_limit_holds_over_all_agents_together(alice: Person, agents: Agents):
    await agents.start("tax_advisor", knows_not, **TAX)
    await agents.start("tax_archive", never_ends, **TAX)

    answer = await alice.post("/api/v4/execute", {"query": VAT, "time_limit_seconds": 0.5})

    assert (answer.status_code, answer.json()["code"]) == (504, "execution_timed_out")


async def test_no_connection_of_the_database_is_held_while_an_agent_thinks(
    alice: Person, agents: Agents, platform: Platform
):
    held: list[int] = []

    async def looks(query: str, context: Any) -> Any:
        pools = [engine.pool for engine in (platform.db.app, platform.db.system)]
        held.extend(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))
        return await knows(query, context)

    await agents.start("tax_advisor", looks, **TAX)

    await ask(alice)

    assert held == [0, 0]


async def test_while_an_agent_thinks_the_execution_is_there_and_running(alice: Person, agents: Agents):
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def waits(query: str, context: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await knows(query, context)

    await agents.start("tax_advisor", waits, **TAX)
    asking = asyncio.create_task(ask(alice))
    await asked.wait()

    (entry,) = (await alice.get("/api/v4/executions", limit=1)).json()["data"]
    early = await alice.post(f"/api/v4/executions/{entry['execution_id']}/feedback", {"rating": 5})
    go_on.set()
    said = await asking

    assert (entry["status"], entry["query"], entry["response_time_ms"]) == ("running", VAT, None)
    assert (early.status_code, early.json()["code"]) == (409, "execution_not_finished")
    assert said["execution_id"] == entry["execution_id"]


async def test_a_new_agent_is_routed_to_at_once_and_a_removed_one_no_more(alice: Person, agents: Agents):
    nobody = await alice.post("/api/v4/execute", {"query": VAT})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "no_agents")
    assert "pc-hybrid agent create" in nobody.json()["next_step"]

    await agents.start("tax_advisor", **TAX)

    assert (await ask(alice))["agent"] == "tax_advisor"


async def test_an_agent_registered_but_not_running_is_not_asked(alice: Person, agents: Agents):
    tax = await agents.start("tax_advisor", **TAX, status="stopped")
    await agents.start("hr_assistant", **PEOPLE)

    said = await ask(alice)

    assert (said["answered"], [one["agent"] for one in said["candidates"]]) == (False, ["hr_assistant"])
    assert tax.asked == []


async def test_an_agent_that_is_not_there_is_told_from_one_that_does_not_run_there(alice: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX, environment="staging")

    unknown = await alice.post("/api/v4/execute", {"query": VAT, "agent": "tax_adviser"})
    elsewhere = await alice.post("/api/v4/execute", {"query": VAT, "agent": "tax_advisor", "environment": "production"})
    nowhere = await alice.post("/api/v4/execute", {"query": VAT, "environment": "production"})

    assert (unknown.status_code, unknown.json()["code"]) == (404, "agent_not_found")
    assert unknown.json()["errors"][0]["pointer"] == "/agent"
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "agent_not_running")
    assert "pc-hybrid agent deploy tax_advisor" in elsewhere.json()["next_step"]
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "no_agents")


async def test_another_organisations_agents_are_neither_weighed_nor_named(
    alice: Person, stranger: Person, agents: Agents, platform: Platform
):
    theirs = await agents.start("tax_advisor", **TAX, org_id=platform.rival)
    await agents.start("hr_assistant", **PEOPLE)

    said = await ask(alice)
    named = await alice.post("/api/v4/execute", {"query": VAT, "agent": "tax_advisor"})

    assert [candidate["agent"] for candidate in said["candidates"]] == ["hr_assistant"]
    assert named.status_code == 404
    assert theirs.asked == []
    assert (await ask(stranger))["agent"] == "tax_advisor"


async def test_who_is_not_signed_in_and_who_may_not_ask(nobody: Any, person: Arrives, agents: Agents):
    tax = await agents.start("tax_advisor", **TAX)
    viewer = await person("viewer")

    unsigned = await nobody.post("/api/v4/execute", json={"query": VAT})
    forbidden = await viewer.post("/api/v4/execute", {"query": VAT})

    assert (unsigned.status_code, forbidden.status_code) == (401, 403)
    assert tax.asked == []
    assert await viewer.events() == [1001]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/query"),
        ({"query": ""}, "/query"),
        ({"query": " \n\t"}, "/query"),
        ({"query": "x" * 10_001}, "/query"),
        ({"query": "nul \x00 inside"}, "/query"),
        ({"query": 7}, "/query"),
        ({"query": VAT, "agent": "../../etc"}, "/agent"),
        ({"query": VAT, "agent": "Tax"}, "/agent"),
        ({"query": VAT, "environment": "prod"}, "/environment"),
        ({"query": VAT, "session_id": "mine"}, "/session_id"),
        ({"query": VAT, "time_limit_seconds": 0}, "/time_limit_seconds"),
        ({"query": VAT, "time_limit_seconds": 121}, "/time_limit_seconds"),
        ({"query": VAT, "model": "gpt"}, "/model"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_its_place(alice: Person, body: Any, pointer: str):
    answer = await alice.post("/api/v4/execute", body)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b'{"query": "\\ud800"}', b"\xff\xfe", b'{"query": NaN}'])
async def test_a_body_that_is_no_query_is_refused(alice: Person, body: bytes):
    answer = await alice.client.post("/api/v4/execute", content=body, headers={"Content-Type": "application/json"})

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    [
        "vat' ; drop table orchestrator.workflow_executions; --",
        "vat {{ 7*7 }} ${HOME} $(id) `id` %s %(x)s",
        "VAT \u202eesrever \u200b 🧾 daň z přidané hodnoty 税",
        "vat\r\n\r\nSet-Cookie: x=1",
        '{"jsonrpc": "2.0", "method": "tools/call", "vat": 1}',
        "vat " * 2_500,
        "=?base64?dmF0?= vat",
    ],
)
async def test_a_hostile_query_is_only_text(alice: Person, agents: Agents, query: str):
    tax = await agents.start("tax_advisor", **TAX)

    said = await ask(alice, query)

    assert (said["answer"], said["query"]) == (f"About: {query}", query)
    assert tax.asked == [(query, [])]
    kept = await alice.get(f"/api/v4/executions/{said['execution_id']}")
    assert kept.json()["data"]["query"] == query


async def test_an_answer_with_a_character_that_no_database_holds_is_shown_without_it(alice: Person, agents: Agents):
    async def odd(query: str, context: Any) -> Any:
        cited = CITED.model_copy(update={"text": "a\x00b"})
        return {"answered": True, "answer": "nul \x00 inside", "citations": [cited.model_dump()]}

    await agents.start("tax_advisor", odd, **TAX)

    said = await ask(alice)

    assert (said["answer"], said["citations"][0]["text"]) == ("nul \ufffd inside", "a\ufffdb")


async def test_a_follow_up_brings_what_was_said_before_and_stays_with_its_agent(alice: Person, agents: Agents):
    tax = await agents.start("tax_advisor", **TAX)
    await agents.start("hr_assistant", **PEOPLE)
    first = await ask(alice)

    second = await ask(alice, "And if it is late?", session_id=first["session_id"])

    assert second["session_id"] == first["session_id"]
    assert second["execution_id"] != first["execution_id"]
    assert second["agent"] == "tax_advisor"
    assert tax.asked == [(VAT, []), ("And if it is late?", [VAT, f"About: {VAT}"])]


@pytest.mark.parametrize("unanswered", [breaks, knows_not, never_ends])
async def test_who_gave_no_answer_does_not_take_over_the_session(alice: Person, agents: Agents, unanswered: Any):
    tax = await agents.start("tax_advisor", **TAX)
    await agents.start("hr_assistant", unanswered, **PEOPLE)
    session_id = (await ask(alice))["session_id"]
    silent = {"query": "How is my salary paid?", "session_id": session_id, "time_limit_seconds": 0.5}
    await alice.post("/api/v4/execute", silent)

    third = await ask(alice, "And if it is late?", session_id=session_id)

    assert third["agent"] == "tax_advisor"
    assert tax.asked[-1] == ("And if it is late?", [VAT, f"About: {VAT}"])


async def test_a_follow_up_of_a_follow_up_brings_the_latest_questions_and_the_last_answer(
    alice: Person, agents: Agents
):
    tax = await agents.start("tax_advisor", **TAX)
    session_id = (await ask(alice))["session_id"]
    for number in range(3):
        await ask(alice, f"And VAT {number}?", session_id=session_id)

    await ask(alice, "And then?", session_id=session_id)

    assert tax.asked[-1] == ("And then?", ["And VAT 0?", "And VAT 1?", "And VAT 2?", "About: And VAT 2?"])


async def test_a_follow_up_about_something_else_goes_to_who_knows_that(alice: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    await agents.start("hr_assistant", **PEOPLE)
    first = await ask(alice)

    second = await ask(alice, "How is my salary paid?", session_id=first["session_id"])

    assert second["agent"] == "hr_assistant"


async def test_only_the_one_who_began_a_session_follows_up_in_it(
    alice: Person, person: Arrives, stranger: Person, agents: Agents, platform: Platform
):
    await agents.start("tax_advisor", **TAX)
    await agents.start("tax_advisor", **TAX, org_id=platform.rival)
    session_id = (await ask(alice))["session_id"]
    colleague = await person("admin")

    for somebody in (colleague, stranger):
        answer = await somebody.post("/api/v4/execute", {"query": VAT, "session_id": session_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    invented = await alice.post("/api/v4/execute", {"query": VAT, "session_id": str(new_id())})
    assert invented.status_code == 404


async def test_many_questions_at_once_are_all_answered(alice: Person, agents: Agents):
    tax = await agents.start("tax_advisor", **TAX)

    said = await asyncio.gather(*(ask(alice, f"VAT question {number}") for number in range(20)))

    assert sorted(one["answer"] for one in said) == sorted(f"About: VAT question {number}" for number in range(20))
    assert len({one["execution_id"] for one in said}) == len(tax.asked) == 20


async def test_an_agent_that_the_platform_runs_is_asked_while_its_runtime_says_it_is_healthy_and_where(
    alice: Person, agents: Agents, platform: Platform
):
    elsewhere = await agents.start("tax_archive", **PEOPLE)
    instance_id = await desired_instance(platform, alice)
    await agents.register("tax_advisor", elsewhere.endpoint, **TAX, instance_id=instance_id, version="9")
    await see(platform, instance_id, observed="healthy", socket=elsewhere.endpoint)
    healthy = await ask(alice)

    await see(platform, instance_id, observed="unhealthy", socket=None)
    unhealthy = await alice.post("/api/v4/execute", {"query": VAT, "agent": "tax_advisor"})

    assert (healthy["agent"], healthy["agent_version"], healthy["answered"]) == ("tax_advisor", "9", True)
    assert (unhealthy.status_code, unhealthy.json()["code"]) == (409, "agent_not_running")


async def desired_instance(platform: Platform, somebody: Person) -> UUID:
    """The wish that a program runs, which no runtime of this test fulfils."""
    desired = InstanceDesired(
        name="tax_advisor", version="9", environment="development", code=Path("/code"), python=Path("/python"),
        argv=("python", "-m", "agent"),
    )  # fmt: skip
    async with unit_of_work(platform.db, somebody.actor) as session:
        return (await desire(session, somebody.actor, desired)).id


async def see(platform: Platform, instance_id: UUID, **seen: str | None) -> None:
    """Write what a runtime would have seen of the instance."""
    async with system_unit_of_work(platform.db) as session:
        await session.execute(
            text("update runtime.instance set observed = :observed, socket = :socket where id = :id"),
            {"id": instance_id, **seen},
        )
