"""Filters narrow every figure; what nobody knows gives nothing; what cannot be meant is refused."""

from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import ValidationError

from promptcraft.analytics import InsightsRequest, Prices
from tests.analytics.conftest import ALICE, BOB, execution, gate, rating, usage


async def two_people_and_two_agents(organisation):
    rated = execution(user_id=ALICE, agent="tax_advisor", processing_time_ms=100, model_cost="0.01")
    other = execution(user_id=BOB, agent="travel_guide", processing_time_ms=300, model_cost="0.02")
    await organisation.tells(
        rated, other, execution(user_id=BOB, agent="tax_advisor", processing_time_ms=500, model_cost="0.04"),
        rating(rated, 5), rating(other, 1, by=BOB),
        usage("10", "0", agent="tax_advisor"), usage("20", "0", agent="travel_guide", instance=2),
        gate("tax_advisor", 10, 8), gate("travel_guide", 10, 4),
    )  # fmt: skip


async def test_agent_filter_narrows_every_figure(found):
    acme = found(prices=Prices(cpu_second=Decimal("0.1")))
    await two_people_and_two_agents(acme)

    data = await acme.insights(agent_filter="tax_advisor")

    assert data["summary"] == {
        "total_queries": 2,
        "unique_users": 2,
        "avg_response_time_ms": 300.0,
        "success_rate": 1.0,
        "total_cost": 1.05,
        "user_satisfaction": 5.0,
        "agent_accuracy": 0.8,
    }
    assert [agent["agent_id"] for agent in data["agent_performance"]] == ["tax_advisor"]
    assert sum(point["infrastructure_cost"] for point in data["trends"]["cost_breakdown"]) == 1.0


async def test_user_filter_leaves_out_what_is_no_single_users(found):
    acme = found(prices=Prices(cpu_second=Decimal("0.1")))
    await two_people_and_two_agents(acme)

    data = await acme.insights(user_filter=str(ALICE))

    assert data["summary"]["total_queries"] == 1
    assert data["summary"]["total_cost"] == 0.01
    assert data["summary"]["user_satisfaction"] == 5.0
    assert data["summary"]["agent_accuracy"] == 0.8, "of the agents that Alice asked"
    assert {point["infrastructure_cost"] for point in data["trends"]["cost_breakdown"]} == {None}
    assert [(a["agent_id"], a["infrastructure_cost"]) for a in data["agent_performance"]] == [("tax_advisor", None)]


async def test_filters_are_lists_and_hold_together(acme):
    await two_people_and_two_agents(acme)

    both = await acme.insights(agent_filter="tax_advisor,travel_guide", user_filter=f"{ALICE},{BOB}")
    one = await acme.insights(agent_filter=["tax_advisor"], user_filter=[str(BOB)])

    assert (both["summary"]["total_queries"], one["summary"]["total_queries"]) == (3, 1)


@pytest.mark.parametrize("unknown", [{"agent_filter": "nobody_here"}, {"user_filter": str(UUID(int=99))}])
async def test_unknown_ids_give_an_empty_report(acme, unknown):
    await two_people_and_two_agents(acme)

    data = await acme.insights(**unknown)

    assert data["summary"] == {
        "total_queries": 0,
        "unique_users": 0,
        "avg_response_time_ms": None,
        "success_rate": None,
        "total_cost": 0.0,
        "user_satisfaction": None,
        "agent_accuracy": None,
    }
    assert data["agent_performance"] == []


@pytest.mark.parametrize(
    "malformed",
    [
        {"time_range": "31d"},
        {"metrics": "usage,beauty"},
        {"metrics": ""},
        {"granularity": "minute"},
        {"agent_filter": "tax_advisor,,"},
        {"agent_filter": "drop table\x00"},
        {"agent_filter": ",".join(f"agent_{n}" for n in range(101))},
        {"user_filter": "alice"},
        {"tz": "Middle/Earth"},
        {"tz": "../../etc/passwd"},
        {"tz": "localtime"},
        {"tz": ""},
        {"colour": "green"},
    ],
)
async def test_what_cannot_be_meant_is_refused(malformed):
    with pytest.raises(ValidationError):
        InsightsRequest.model_validate(malformed)
