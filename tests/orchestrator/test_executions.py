"""What was asked stays readable to whom it belongs, can be rated, and never stays open for ever."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from promptcraft.app.up.servers import Urls
from promptcraft.kernel import clock
from promptcraft.kernel.audit.catalogue.orchestrator import EXECUTION_ABANDONED, EXECUTION_COMPLETED, FEEDBACK_GIVEN
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.kernel.ids import new_id, time_of
from promptcraft.kernel.outbox import Consumer, Fact, relay
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.orchestrator import ExecutionFinished, ExecutionRated
from promptcraft.orchestrator.service import close_orphans
from tests.conftest import Arrives, Platform
from tests.orchestrator.conftest import Agents, knows, never_ends
from tests.orchestrator.test_execute import PEOPLE, TAX, VAT, ask
from tests.people import Person


async def facts(platform: Platform) -> list[Any]:
    """What the outbox holds for others, taken in."""
    taken: list[Fact] = []

    async def take_in(_session: Any, some: Any) -> None:
        taken.extend(some)

    await relay(platform.db, [Consumer(ExecutionFinished, take_in), Consumer(ExecutionRated, take_in)])
    return taken


async def test_an_execution_reads_later_as_it_was_answered(alice: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    await agents.start("hr_assistant", **PEOPLE)
    said = await ask(alice)

    kept = await alice.get(f"/api/v4/executions/{said['execution_id']}")

    assert kept.json()["data"] == said


async def test_the_list_has_the_newest_first_and_no_more_than_asked_for(alice: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    asked = [(await ask(alice, f"VAT {number}"))["execution_id"] for number in range(3)]

    listed = (await alice.get("/api/v4/executions", limit=2)).json()["data"]

    assert [entry["execution_id"] for entry in listed] == asked[:0:-1]
    assert [entry["query"] for entry in listed] == ["VAT 2", "VAT 1"]
    assert (listed[0]["agent"], listed[0]["answered"], listed[0]["cost"]) == ("tax_advisor", True, 0.0)


@pytest.mark.parametrize("limit", ["0", "201", "x", "-1"])
async def test_a_limit_that_cannot_be_is_a_bad_request(alice: Person, limit: str):
    answer = await alice.get("/api/v4/executions", limit=limit)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")


async def test_colleagues_see_their_own_and_who_may_read_all_sees_all(alice: Person, person: Arrives, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    analyst, other = await person("analyst"), await person("analyst")
    execution_id = (await ask(analyst))["execution_id"]

    seen_by = [(await one.get("/api/v4/executions")).json()["data"] for one in (analyst, other)]
    read_by_other = await other.get(f"/api/v4/executions/{execution_id}")
    read_by_admin = await alice.get(f"/api/v4/executions/{execution_id}")
    listed_for_admin = (await alice.get("/api/v4/executions")).json()["data"]

    assert [[entry["execution_id"] for entry in seen] for seen in seen_by] == [[execution_id], []]
    assert (read_by_other.status_code, read_by_other.json()["code"]) == (404, "execution_not_found")
    assert read_by_admin.json()["data"]["execution_id"] == execution_id
    assert execution_id in [entry["execution_id"] for entry in listed_for_admin]


async def test_another_organisations_execution_does_not_exist(alice: Person, stranger: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    execution_id = (await ask(alice))["execution_id"]

    read = await stranger.get(f"/api/v4/executions/{execution_id}")
    rated = await stranger.post(f"/api/v4/executions/{execution_id}/feedback", {"rating": 1})
    listed = await stranger.get("/api/v4/executions")

    assert (read.status_code, read.json()["code"]) == (404, "execution_not_found")
    assert (rated.status_code, rated.json()["code"]) == (404, "execution_not_found")
    assert listed.json()["data"] == []


@pytest.mark.parametrize(
    "identifier",
    [
        "0198f3a0-0000-7000-8000-000000000000",
        str(UUID(int=0)),
        "ffffffff-ffff-7fff-bfff-ffffffffffff",
        "1-1-1",
        "%00",
        "../../etc/passwd",
        "x" * 300,
    ],
)
async def test_an_id_that_was_never_given_is_not_found(alice: Person, identifier: str):
    read = await alice.get(f"/api/v4/executions/{identifier}")
    rated = await alice.post(f"/api/v4/executions/{identifier}/feedback", {"rating": 3})

    assert (read.status_code, rated.status_code) == (404, 404)


async def test_who_is_not_signed_in_and_who_may_not(nobody: Any, person: Arrives):
    viewer, path = await person("viewer"), f"/api/v4/executions/{new_id()}"

    assert (await nobody.get("/api/v4/executions")).status_code == 401
    assert (await nobody.get(path)).status_code == 401
    assert (await nobody.post(f"{path}/feedback", json={"rating": 3})).status_code == 401
    assert (await viewer.post(f"{path}/feedback", {"rating": 3})).status_code == 403
    platform_admin = await person("platform_admin")
    assert (await platform_admin.post(f"{path}/feedback", {"rating": 3})).status_code == 403


async def test_a_persons_second_rating_replaces_the_first(alice: Person, agents: Agents, platform: Platform):
    await agents.start("tax_advisor", **TAX)
    path = f"/api/v4/executions/{(await ask(alice))['execution_id']}/feedback"
    await alice.post(path, {"rating": 2})

    answer = await alice.post(path, {"rating": 5, "comment": "better than I thought"})

    assert answer.status_code == 201
    assert (answer.json()["data"]["rating"], answer.json()["data"]["comment"]) == (5, "better than I thought")
    assert await alice.events() == [EXECUTION_COMPLETED.id, FEEDBACK_GIVEN.id, FEEDBACK_GIVEN.id]
    mine = [
        fact for fact in await facts(platform) if isinstance(fact, ExecutionRated) and fact.user_id == alice.user_id
    ]
    assert [fact.rating for fact in mine] == [2, 5]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rating": 0}, "/rating"),
        ({"rating": 6}, "/rating"),
        ({"rating": 4.5}, "/rating"),
        ({}, "/rating"),
        ({"rating": 3, "comment": "x" * 2_001}, "/comment"),
        ({"rating": 3, "comment": "a\x00b"}, "/comment"),
        ({"rating": 3, "stars": 3}, "/stars"),
    ],
)
async def test_a_rating_that_cannot_be_is_refused_with_its_place(alice: Person, body: Any, pointer: str):
    answer = await alice.post(f"/api/v4/executions/{new_id()}/feedback", body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_others_are_told_of_each_end_with_all_they_count_by(alice: Person, agents: Agents, platform: Platform):
    await agents.start("tax_advisor", **TAX, version="2", environment="staging")
    said = await ask(alice)

    told = [one for one in await facts(platform) if str(one.execution_id) == said["execution_id"]]

    assert [type(one) for one in told] == [ExecutionFinished]
    fact = told[0].model_dump()
    assert fact["created_at"] == time_of(fact["execution_id"]) <= fact["finished_at"]
    assert (fact["user_id"], str(fact["session_id"])) == (alice.user_id, said["session_id"])
    assert (fact["agent"], fact["agent_version"], fact["environment"]) == ("tax_advisor", "2", "staging")
    assert (fact["status"], fact["answered"], fact["steps_completed"]) == ("completed", True, 2)
    assert (fact["model_cost"], fact["tokens"]) == (Decimal(0), 0)
    assert (fact["processing_time_ms"], fact["score"]) == (said["response_time_ms"], said["score"])


async def left_running(alice: Person, agents: Agents, urls: Urls) -> str:
    """An execution whose process is killed between its intent and its outcome."""
    asked = asyncio.Event()

    async def waits(query: str, context: Any) -> Any:
        asked.set()
        return await never_ends(query, context)

    await agents.start("tax_advisor", waits, **TAX)
    arguments = (urls.app, urls.system, urls.redis, str(alice.org_id), str(alice.user_id))
    asker = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.orchestrator.asker", *arguments)
    async with asyncio.timeout(60):
        await asked.wait()
    asker.kill()
    await asker.wait()
    (entry,) = (await alice.get("/api/v4/executions", limit=1)).json()["data"]
    assert entry["status"] == "running"
    return entry["execution_id"]


async def test_what_a_killed_process_left_running_is_closed_as_failed_with_event_and_fact(
    alice: Person, agents: Agents, platform: Platform, urls: Urls
):
    execution_id = await left_running(alice, agents, urls)
    await close_orphans(platform.db)
    still = (await alice.get(f"/api/v4/executions/{execution_id}")).json()["data"]

    with clock.use(lambda: datetime.now(UTC) + timedelta(seconds=91)):
        await close_orphans(platform.db)
        await close_orphans(platform.db)

    closed = (await alice.get(f"/api/v4/executions/{execution_id}")).json()["data"]
    assert (still["status"], closed["status"]) == ("running", "failed")
    assert (closed["response_time_ms"], closed["answered"]) == (None, False)
    assert "not known" in closed["error"]
    told = [one for one in await facts(platform) if str(one.execution_id) == execution_id]
    assert [(one.status, one.processing_time_ms, one.user_id) for one in told] == [("failed", None, alice.user_id)]
    assert await events_of(platform, execution_id) == [EXECUTION_ABANDONED.id]


async def test_an_answer_that_comes_after_the_execution_was_closed_does_not_count(
    alice: Person, agents: Agents, platform: Platform
):
    async def dawdles(query: str, context: Any) -> Any:
        with clock.use(lambda: datetime.now(UTC) + timedelta(seconds=91)):
            await close_orphans(platform.db)
        return await knows(query, context)

    await agents.start("tax_advisor", dawdles, **TAX)

    answer = await alice.post("/api/v4/execute", {"query": VAT})

    assert (answer.status_code, answer.json()["code"]) == (409, "execution_closed")
    (entry,) = (await alice.get("/api/v4/executions", limit=1)).json()["data"]
    assert entry["status"] == "failed"
    assert await events_of(platform, entry["execution_id"]) == [EXECUTION_ABANDONED.id]


async def test_purged_texts_leave_the_execution_and_its_figures(alice: Person, agents: Agents, platform: Platform):
    await agents.start("tax_advisor", **TAX)
    said = await ask(alice)
    await purge(platform, said["execution_id"])

    kept = (await alice.get(f"/api/v4/executions/{said['execution_id']}")).json()["data"]
    (entry,) = (await alice.get("/api/v4/executions", limit=1)).json()["data"]

    assert (kept["query"], kept["answer"], kept["citations"]) == (None, None, [])
    assert (kept["status"], kept["agent"], kept["steps"]) == ("completed", "tax_advisor", said["steps"])
    assert (entry["query"], entry["agent"]) == (None, "tax_advisor")


async def test_partitions_of_the_days_to_come_are_there(platform: Platform):
    with clock.use(lambda: datetime(2027, 3, 1, 23, 59, tzinfo=UTC)):
        await keep_partitions(platform.db)

    async with system_unit_of_work(platform.db) as session:
        found = await session.scalars(
            text("select inhrelid::regclass::text from pg_inherits where inhrelid::regclass::text like '%\\_202703%'")
        )
        names = set(found)
    for parent in ("workflow_executions", "execution_text"):
        assert {f"orchestrator.{parent}_2027030{day}" for day in range(1, 9)} <= names


async def purge(platform: Platform, execution_id: str) -> None:
    async with platform.db.app.begin() as connection:
        await connection.execute(text("select set_config('app.org_id', :org, true)"), {"org": str(platform.acme)})
        gone = await connection.execute(
            text("delete from orchestrator.execution_text where execution_id = :id"), {"id": UUID(execution_id)}
        )
        assert gone.rowcount == 1


async def events_of(platform: Platform, execution_id: str) -> list[int]:
    async with system_unit_of_work(platform.db) as session:
        documents = await session.scalars(text("select canonical from audit.event order by occurred_at, event_id"))
        parsed = [orjson.loads(one) for one in documents]
    return [one["catalogue_id"] for one in parsed if one["action"]["resource_id"] == execution_id]
