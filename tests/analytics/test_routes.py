"""The two routes, through the whole application."""

import pytest

from promptcraft.kernel import clock
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.audit.catalogue.kernel import ACCESS_DENIED
from tests.analytics.conftest import Organisation, execution, usage

INSIGHTS, REALTIME = "/api/v4/analytics/insights", "/api/v4/analytics/realtime"


@pytest.fixture(scope="module")
def settings_given():
    return {"PROMPTCRAFT_PRICE_CPU_SECOND": "0.5"}


@pytest.fixture
async def acme(platform) -> Organisation:
    """The organisation that alice administers."""
    return Organisation(platform.db, now=clock.now(), actor=platform_actor(org_id=platform.acme))


async def test_insights_come_in_the_envelope_of_the_specification(alice):
    answer = await alice.get(INSIGHTS)

    assert answer.status_code == 200
    body = answer.json()
    assert (set(body), body["status"]) == ({"status", "data", "metadata"}, "success")
    assert set(body["data"]["summary"]) == {
        "total_queries", "unique_users", "avg_response_time_ms", "success_rate", "total_cost", "user_satisfaction",
        "agent_accuracy",
    }  # fmt: skip
    assert set(body["metadata"]) == {"generated_at", "data_freshness", "query_duration_ms"}
    assert body["metadata"]["data_freshness"] == "PT0S"


async def test_costs_are_numbers_at_the_price_that_is_set(alice, acme):
    await acme.tells(execution(acme.now, model_cost="0.125"), usage("3", "0", at=acme.now))

    data = (await alice.get(INSIGHTS, metrics="costs")).json()["data"]

    assert data["summary"]["total_cost"] == 1.625
    last = data["trends"]["cost_breakdown"][-1]
    assert (last["model_cost"], last["infrastructure_cost"]) == (0.125, 1.5)


async def test_stranger_sees_nothing_of_it(alice, stranger, acme):
    await acme.tells(execution(acme.now, user_id=alice.user_id))

    mine, theirs = [(await person.get(INSIGHTS)).json()["data"]["summary"] for person in (alice, stranger)]
    filtered = (await stranger.get(INSIGHTS, user_filter=str(alice.user_id))).json()["data"]["summary"]
    live = (await stranger.get(REALTIME)).json()["data"]

    assert mine["total_queries"] > 0
    assert (theirs["total_queries"], filtered["total_queries"], live["success_rate"]) == (0, 0, None)


async def test_realtime_has_four_figures(alice, acme):
    await acme.tells(execution(acme.now, processing_time_ms=50))

    answer = await alice.get(REALTIME)

    assert answer.status_code == 200
    assert set(answer.json()["data"]) == {"avg_response_time_ms", "success_rate", "active_workflows", "queue_length"}


@pytest.mark.parametrize("path", [INSIGHTS, REALTIME])
async def test_nobody_is_not_let_in(nobody, path):
    answer = await nobody.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


@pytest.mark.parametrize("path", [INSIGHTS, REALTIME])
@pytest.mark.parametrize("role", ["viewer", "developer", "analyst"])
async def test_without_the_permission_the_door_stays_shut_and_it_is_recorded(person, path, role):
    somebody = await person(role)

    answer = await somebody.get(path)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert await somebody.events() == [ACCESS_DENIED.id]


async def test_data_team_may_read_them(person):
    analyst = await person("analyst", groups=("data-team",))

    assert (await analyst.get(INSIGHTS)).status_code == 200


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("time_range", "forever"),
        ("metrics", "usage,beauty"),
        ("granularity", "minute"),
        ("agent_filter", "a,,b"),
        ("user_filter", "alice"),
        ("tz", "Middle/Earth"),
        ("colour", "green"),
    ],
)
async def test_malformed_parameter_is_refused_by_name(alice, parameter, value):
    answer = await alice.get(INSIGHTS, **{parameter: value})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "bad_request")
    assert problem["errors"][0]["pointer"].startswith(f"/{parameter}")


async def test_lists_may_be_repeated_or_separated_by_commas(alice, acme):
    await acme.tells(execution(acme.now, agent="first_one"), execution(acme.now, agent="second_one"))

    comma = await alice.get(INSIGHTS, agent_filter="first_one,second_one", metrics="usage,quality")
    repeated = await alice.get(INSIGHTS, agent_filter=["first_one", "second_one"], metrics=["usage", "quality"])

    assert comma.json()["data"] == repeated.json()["data"]
    assert comma.json()["data"]["summary"]["total_queries"] == 2
