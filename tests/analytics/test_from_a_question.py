"""From a person's question over HTTP to the figures: the facts that the contexts really tell."""

import asyncio
from typing import Any

from promptcraft.app.work import standing_jobs_of
from promptcraft.kernel.outbox import RELAY
from promptcraft.registry import Evaluation
from tests.orchestrator.conftest import agents, knows  # noqa: F401 - `agents` is a fixture

INSIGHTS, REALTIME = "/api/v4/analytics/insights", "/api/v4/analytics/realtime"


async def relayed(platform):
    """What the scheduler does every other second."""
    await standing_jobs_of(platform.parts)[RELAY].run(platform.db)


async def ask(somebody) -> dict[str, Any]:
    answer = await somebody.post("/api/v4/execute", {"query": "When is the VAT return due?", "agent": "tax_advisor"})
    return answer.json()["data"]


async def test_question_and_rating_show_in_the_figures(platform, alice, agents):  # noqa: F811 - the fixture
    await agents.start("tax_advisor", evaluation=Evaluation(questions=20, correct=18))
    execution = await ask(alice)
    await alice.post(f"/api/v4/executions/{execution['execution_id']}/feedback", {"rating": 4})
    await relayed(platform)

    report = (await alice.get(INSIGHTS, user_filter=str(alice.user_id))).json()
    now = (await alice.get(REALTIME)).json()["data"]

    assert report["data"]["summary"] == {
        "total_queries": 1,
        "unique_users": 1,
        "avg_response_time_ms": execution["response_time_ms"],
        "success_rate": 1.0,
        "total_cost": 0.0,
        "user_satisfaction": 4.0,
        "agent_accuracy": 0.9,
    }
    assert [agent["agent_id"] for agent in report["data"]["agent_performance"]] == ["tax_advisor"]
    assert report["metadata"]["data_freshness"] == "PT0S"
    assert (now["success_rate"], now["active_workflows"], now["queue_length"]) == (1.0, 0, 0)


async def test_execution_under_way_is_active_and_not_yet_a_query(alice, stranger, agents):  # noqa: F811 - the fixture
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def waits(query: str, context: Any) -> Any:
        asked.set()
        await go_on.wait()
        return await knows(query, context)

    await agents.start("tax_advisor", waits)
    before = (await alice.get(INSIGHTS)).json()["data"]["summary"]
    asking = asyncio.create_task(ask(alice))
    await asked.wait()

    active = [(await person.get(REALTIME)).json()["data"]["active_workflows"] for person in (alice, stranger)]
    during = (await alice.get(INSIGHTS)).json()["data"]["summary"]
    go_on.set()
    await asking

    assert active == [1, 0]
    assert during == before
