"""What holds for any data."""

import math
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptcraft.analytics import Prices
from tests.analytics.conftest import NOW, execution, usage

moments = st.integers(0, 35 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes, seconds=1))
executions = st.lists(
    st.builds(
        execution,
        moments,
        processing_time_ms=st.none() | st.integers(0, 120_000),
        status=st.sampled_from(["completed", "failed", "timed_out"]),
        agent=st.sampled_from([None, "tax_advisor", "travel_guide"]),
        user_id=st.sampled_from([None, *(UUID(int=n) for n in range(1, 4))]),
        model_cost=st.decimals(0, 5, places=4),
    ),
    max_size=25,
)
used = st.lists(
    st.builds(usage, st.integers(0, 99).map(str), st.integers(0, 99).map(str), at=moments, instance=st.integers(1, 3)),
    max_size=8,
    unique_by=lambda fact: (fact.at, fact.instance_id),
)
slow_on_purpose = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def percentile(values: list[float], share: float) -> float:
    """By definition: linear between the two neighbours of the share's position."""
    ordered, position = sorted(values), share * (len(values) - 1)
    below = ordered[math.floor(position)]
    return below + (ordered[math.ceil(position)] - below) * (position - math.floor(position))


@given(facts=executions)
@slow_on_purpose
async def test_percentiles_are_those_of_the_rows(found, facts):
    acme = found()
    await acme.tells(*facts)
    times = defaultdict(list)
    for fact in facts:
        if fact.processing_time_ms is not None and fact.created_at >= NOW - timedelta(days=30):
            times[fact.created_at.strftime("%Y-%m-%dT00:00:00Z")].append(fact.processing_time_ms)

    points = (await acme.insights(metrics="performance"))["trends"]["response_times"]

    for point in points:
        values = times.pop(point["date"], [])
        expected = [percentile(values, share) for share in (0.5, 0.95, 0.99)] if values else [None] * 3
        assert [point["p50"], point["p95"], point["p99"]] == pytest.approx(expected, abs=1e-6)
        assert not values or point["p50"] <= point["p95"] <= point["p99"]
    assert times == {}


@given(facts=executions, usages=used, zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]))
@slow_on_purpose
async def test_buckets_add_up_to_the_summary_whatever_their_length(found, facts, usages, zone):
    acme = found(prices=Prices(Decimal("0.003"), Decimal("0.0007")))
    await acme.tells(*facts, *usages)

    reports = [await acme.insights(granularity=length, tz=zone) for length in ("hour", "day", "week", "month")]

    for report in reports:
        summary, trends = report["summary"], report["trends"]
        assert summary == reports[0]["summary"]
        assert sum(point["count"] for point in trends["query_volume"]) == summary["total_queries"]
        costs = [point["model_cost"] + point["infrastructure_cost"] for point in trends["cost_breakdown"]]
        assert math.fsum(costs) == pytest.approx(summary["total_cost"], abs=1e-9)


@given(facts=executions)
@slow_on_purpose
async def test_agents_share_the_queries_that_had_one(found, facts):
    acme = found()
    await acme.tells(*facts)

    agents = (await acme.insights())["agent_performance"]

    alone = [await acme.insights(agent_filter=agent["agent_id"]) for agent in agents]
    assert [agent["query_count"] for agent in agents] == [one["summary"]["total_queries"] for one in alone]
    assert [agent["success_rate"] for agent in agents] == [one["summary"]["success_rate"] for one in alone]
