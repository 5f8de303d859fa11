"""The report of §5.2 on small data whose figures are computed by hand."""

from datetime import timedelta
from decimal import Decimal

from promptcraft.analytics import Prices
from tests.analytics.conftest import ALICE, BOB, NOW, execution, gate, rating, usage

YESTERDAY = NOW - timedelta(days=1)
DAY_BEFORE = NOW - timedelta(days=2)


async def a_small_week(organisation):
    """Three queries to the tax advisor, one of them failed; one to the guide; one that no agent fitted."""
    good = execution(DAY_BEFORE, user_id=ALICE, processing_time_ms=100, model_cost="0.01")
    slow = execution(YESTERDAY, user_id=BOB, processing_time_ms=400, model_cost="0.03")
    await organisation.tells(
        good,
        slow,
        execution(YESTERDAY, user_id=BOB, processing_time_ms=200, model_cost="0.02", status="failed"),
        execution(YESTERDAY, user_id=ALICE, processing_time_ms=60, model_cost="0.004", agent="travel_guide"),
        execution(YESTERDAY, user_id=ALICE, processing_time_ms=10, agent=None),
        rating(good, 5, by=ALICE),
        rating(good, 2, by=BOB),
        rating(slow, 4, by=BOB),
        usage("100", "50", at=DAY_BEFORE),
        usage("10", "5", at=YESTERDAY, agent="travel_guide", instance=2),
        usage("1", "1", at=YESTERDAY, agent="idle_one", instance=3),
        gate("tax_advisor", 30, 24),
        gate("travel_guide", 10, 9),
    )


async def test_summary_of_a_small_week(found):
    acme = found(prices=Prices(Decimal("0.001"), Decimal("0.002")))
    await a_small_week(acme)

    summary = (await acme.insights(time_range="7d"))["summary"]

    assert summary == {
        "total_queries": 5,
        "unique_users": 2,
        "avg_response_time_ms": 154.0,
        "success_rate": 0.8,
        # models 0.064; CPU 111 s at 0.001; memory 56 GiB-s at 0.002
        "total_cost": 0.287,
        "user_satisfaction": 11 / 3,
        # 33 of 40 questions: weighted, not the mean of 0.8 and 0.9
        "agent_accuracy": 0.825,
    }


async def test_trends_of_a_small_week(found):
    acme = found(prices=Prices(Decimal("0.001"), Decimal("0.002")))
    await a_small_week(acme)

    trends = (await acme.insights(time_range="7d"))["trends"]

    days = [f"2026-11-{day:02}T00:00:00Z" for day in range(3, 11)]
    assert trends["query_volume"] == [
        {"date": day, "count": count} for day, count in zip(days, [0, 0, 0, 0, 0, 1, 4, 0], strict=True)
    ]
    assert trends["response_times"][5:] == [
        {"date": days[5], "p50": 100.0, "p95": 100.0, "p99": 100.0},
        # of 10, 60, 200, 400: halfway between 60 and 200; 85 and 97 hundredths of the way from 200 to 400
        {"date": days[6], "p50": 130.0, "p95": 370.0, "p99": 394.0},
        {"date": days[7], "p50": None, "p95": None, "p99": None},
    ]
    assert trends["cost_breakdown"][5:] == [
        {"date": days[5], "model_cost": 0.01, "infrastructure_cost": 0.2},
        {"date": days[6], "model_cost": 0.054, "infrastructure_cost": 0.023},
        {"date": days[7], "model_cost": 0.0, "infrastructure_cost": 0.0},
    ]


async def test_agents_of_a_small_week(found):
    acme = found(prices=Prices(Decimal("0.001"), Decimal("0.002")))
    await a_small_week(acme)

    agents = (await acme.insights(time_range="7d"))["agent_performance"]

    assert agents == [
        {
            "agent_id": "tax_advisor",
            "query_count": 3,
            "avg_response_time": 233.333333,
            "success_rate": 2 / 3,
            "user_rating": 11 / 3,
            "cost_per_query": 0.02,
            "infrastructure_cost": 0.2,
        },
        {
            "agent_id": "travel_guide",
            "query_count": 1,
            "avg_response_time": 60.0,
            "success_rate": 1.0,
            "user_rating": None,
            "cost_per_query": 0.004,
            "infrastructure_cost": 0.02,
        },
        {
            "agent_id": "idle_one",
            "query_count": 0,
            "avg_response_time": None,
            "success_rate": None,
            "user_rating": None,
            "cost_per_query": None,
            "infrastructure_cost": 0.003,
        },
    ]


async def test_quality_says_on_how_much_it_stands(acme):
    await a_small_week(acme)

    data = await acme.insights(metrics="quality")

    assert data["quality"] == {
        "user_satisfaction": 11 / 3,
        "ratings": 3,
        "agent_accuracy": 0.825,
        "questions": 40,
    }
    assert data["optimization_recommendations"] == []


async def test_organisation_without_facts_has_zero_totals_and_no_averages(acme):
    data = await acme.insights(time_range="7d")

    assert data["summary"] == {
        "total_queries": 0,
        "unique_users": 0,
        "avg_response_time_ms": None,
        "success_rate": None,
        "total_cost": 0.0,
        "user_satisfaction": None,
        "agent_accuracy": None,
    }
    assert [point["count"] for point in data["trends"]["query_volume"]] == [0] * 8
    assert data["agent_performance"] == []


async def test_one_execution_is_every_percentile(acme):
    await acme.tells(execution(NOW - timedelta(seconds=1), processing_time_ms=42))

    data = await acme.insights(time_range="7d")

    assert data["summary"]["avg_response_time_ms"] == 42.0
    assert data["trends"]["response_times"][-1] == {"date": "2026-11-10T00:00:00Z", "p50": 42, "p95": 42, "p99": 42}


async def test_execution_of_unknown_duration_counts_without_a_time(acme):
    await acme.tells(execution(status="failed", processing_time_ms=None), execution(processing_time_ms=80))

    summary = (await acme.insights())["summary"]

    assert (summary["total_queries"], summary["avg_response_time_ms"], summary["success_rate"]) == (2, 80.0, 0.5)


async def test_what_was_not_asked_for_is_absent_and_the_summary_whole(acme):
    await a_small_week(acme)
    whole = await acme.insights()

    parts = {metric: await acme.insights(metrics=metric) for metric in ("usage", "performance", "costs", "quality")}

    assert {metric: set(part) | set(part["trends"]) for metric, part in parts.items()} == {
        "usage": {"summary", "trends", "query_volume"},
        "performance": {"summary", "trends", "response_times", "agent_performance"},
        "costs": {"summary", "trends", "cost_breakdown"},
        "quality": {"summary", "trends", "quality", "optimization_recommendations"},
    }
    assert all(part["summary"] == whole["summary"] for part in parts.values())


async def test_range_ends_now_and_is_as_long_as_asked(acme):
    year = timedelta(days=365)
    moment = timedelta(microseconds=1)
    await acme.tells(
        execution(NOW), execution(NOW - moment), execution(NOW - timedelta(days=7)),
        execution(NOW - timedelta(days=7) - moment), execution(NOW - timedelta(days=29)),
        execution(NOW - timedelta(days=89)), execution(NOW - year), execution(NOW - year - moment),
    )  # fmt: skip

    totals = {
        reach: (await acme.insights(time_range=reach))["summary"]["total_queries"]
        for reach in ("7d", "30d", "90d", "1y")
    }

    assert totals == {"7d": 2, "30d": 4, "90d": 5, "1y": 6}


async def test_a_year_of_hours_is_answered(acme):
    await acme.tells(execution(NOW - timedelta(days=200)))

    trends = (await acme.insights(time_range="1y", granularity="hour", metrics="usage"))["trends"]

    assert len(trends["query_volume"]) == 8760
    assert sum(point["count"] for point in trends["query_volume"]) == 1


async def test_another_organisations_facts_are_never_seen(acme, found):
    await a_small_week(acme)

    data = await found().insights(agent_filter="tax_advisor")

    assert data["summary"]["total_queries"] == 0
    assert data["summary"]["user_satisfaction"] is None
    assert data["summary"]["agent_accuracy"] is None
    assert data["agent_performance"] == []
