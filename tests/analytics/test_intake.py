"""Facts are counted once, in whatever order and however often they come."""

from datetime import timedelta

from promptcraft.kernel.outbox import relay
from tests.analytics.conftest import NOW, execution, gate, rating, usage


async def test_told_twice_counts_once(acme):
    asked, used = execution(model_cost="0.01"), usage("10", "0")
    await acme.tells(asked, rating(asked, 4), used, gate("tax_advisor", 10, 9))
    once = await acme.insights()

    await acme.tells(asked, rating(asked, 4), used, gate("tax_advisor", 10, 9))

    assert await acme.insights() == once
    acme.now += timedelta(minutes=1)
    assert (await acme.report()).metadata.data_freshness == timedelta(), "and none is left waiting"


async def test_rating_that_comes_before_its_execution_is_kept(acme):
    asked = execution()
    await acme.tells(rating(asked, 3))
    assert (await acme.insights())["summary"]["user_satisfaction"] is None

    await acme.tells(asked)

    assert (await acme.insights())["summary"]["user_satisfaction"] == 3.0


async def test_latest_rating_of_a_person_counts_whatever_comes_last(acme):
    asked = execution()
    first, second = rating(asked, 1, at=NOW - timedelta(minutes=2)), rating(asked, 5, at=NOW)

    await acme.tells(asked, second, first)

    assert (await acme.insights(metrics="quality"))["quality"] | {"agent_accuracy": 0, "questions": 0} == {
        "user_satisfaction": 5.0,
        "ratings": 1,
        "agent_accuracy": 0,
        "questions": 0,
    }


async def test_accuracy_is_that_of_the_last_gate(acme):
    await acme.tells(
        gate("tax_advisor", 10, 9, at=NOW),
        gate("tax_advisor", 10, 2, at=NOW - timedelta(days=1)),
        gate("tax_advisor", 0, 0, at=NOW + timedelta(seconds=1), environment="staging"),
    )

    assert (await acme.insights())["summary"]["agent_accuracy"] == 0.9


async def test_freshness_is_the_age_of_the_oldest_fact_not_taken_in(acme):
    await acme.tells(execution())
    await acme.writes(execution())
    acme.now = NOW + timedelta(seconds=1.25)
    waiting = await acme.report()

    await relay(acme.db, [])
    idle = await acme.report()

    assert waiting.model_dump(mode="json")["metadata"]["data_freshness"] == "PT1.25S"
    assert idle.model_dump(mode="json")["metadata"]["data_freshness"] == "PT0S"
