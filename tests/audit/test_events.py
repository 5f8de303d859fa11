"""Reading the log: one's own organisation, in §5.4's structure, personal fields opened."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from promptcraft.kernel import audit
from promptcraft.kernel.audit.catalogue.identity import LOGIN_SUCCEEDED, SESSION_ENDED
from promptcraft.kernel.audit.catalogue.kernel import ACCESS_DENIED, AUTHENTICATION_REFUSED
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from tests.conftest import Platform
from tests.people import PASSWORD, Person

PATH = "/api/v4/audit/events"


async def ids(person: Person, **query: object) -> list[int]:
    answer = await person.get(PATH, **query)
    assert answer.status_code == 200, answer.text
    return [event["catalogue_id"] for event in answer.json()["data"]]


async def test_an_event_has_the_structure_of_the_specification(alice: Person, nobody: httpx.AsyncClient):
    body = {"username": alice.name, "password": PASSWORD}
    headers = {"User-Agent": "a browser", "X-Request-ID": "of-the-caller"}
    request_id = (await nobody.post("/auth/token", json=body, headers=headers)).headers["x-request-id"]

    [event] = (await alice.get(PATH, request_id=request_id)).json()["data"]

    assert UUID(event["event_id"]).version == 7
    assert datetime.fromisoformat(event["timestamp"]).tzinfo
    assert (event["user_id"], event["organization_id"]) == (str(alice.user_id), str(alice.org_id))
    assert (event["event_type"], event["event_category"], event["severity"]) == ("authentication", "security", "info")
    assert (event["source"]["component"], event["source"]["process"]) == ("api_gateway", "api")
    assert event["source"]["ip_address"] == "127.0.0.1"
    assert event["action"] == {
        "operation": "login.succeed",
        "resource": "login",
        "resource_id": event["session_id"],
        "method": "POST",
        "endpoint": "/auth/token",
    }
    assert event["context"] == {
        "user_agent": "a browser",
        "request_id": request_id,
        "correlation_id": "of-the-caller",
        "workflow_id": None,
        "agent_id": None,
    }
    assert (event["outcome"]["status"], event["outcome"]["status_code"]) == ("success", 200)
    assert event["data"]["cost"] is None
    assert event["data"]["request_size_bytes"] > 0


async def test_a_cost_is_a_number(alice: Person, platform: Platform):
    async with unit_of_work(platform.db, alice.actor) as session:
        await audit.record(session, alice.actor, SESSION_ENDED, cost=Decimal("0.0000125"))

    [event] = (await alice.get(PATH, limit=1)).json()["data"]

    assert event["data"]["cost"] == 0.0000125


async def test_events_are_the_newest_first_and_no_more_than_asked_for(alice: Person):
    events = (await alice.get(PATH, limit=2)).json()["data"]

    assert len(events) == 2
    assert events[0]["timestamp"] >= events[1]["timestamp"]


async def test_conditions_narrow_down_together(alice: Person, person):
    bob: Person = await person("viewer")
    await bob.get(PATH)

    assert await ids(alice, actor=str(bob.user_id)) == [ACCESS_DENIED.id, LOGIN_SUCCEEDED.id]
    assert await ids(alice, actor=str(bob.user_id), action="access.deny") == [ACCESS_DENIED.id]
    assert await ids(alice, actor=str(bob.user_id), action="login.*") == [LOGIN_SUCCEEDED.id]
    assert await ids(alice, actor=str(bob.user_id), action="agent.create") == []
    assert await ids(alice, until=(datetime.now(UTC) - timedelta(hours=1)).isoformat()) == []
    assert await ids(alice, since=(datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert await ids(alice, request_id=str(new_id())) == []


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": 0}, {"limit": 501}, {"actor": "bob"}, {"request_id": "a\0b"}, {"other": "1"}),
        *({"since": "yesterday"}, {"since": "1767600000"}, {"since": "2026-01-05"}, {"until": "2026-01-05T09:00:00"}),
    ],
)
async def test_a_query_that_makes_no_sense_is_a_bad_request(alice: Person, query: dict[str, str]):
    answer = await alice.get(PATH, **query)

    assert answer.status_code == 400
    assert answer.json()["errors"]


@pytest.mark.parametrize("moment", ["2026-01-05T09:00:00.123456789z", "0001-01-01T00:00:00+05:00"])
async def test_events_are_asked_for_since_any_moment_that_there_was(alice: Person, moment: str):
    assert await ids(alice, since=moment)
    assert await ids(alice, until="9999-12-31T23:59:59-05:00")


async def test_another_organisation_sees_nothing_of_it(alice: Person, stranger: Person):
    request_id = (await alice.get("/api/v4/platform/audit/events")).headers["x-request-id"]
    assert await ids(alice, request_id=request_id) == [ACCESS_DENIED.id]

    assert await ids(stranger, request_id=request_id) == []
    assert await ids(stranger, actor=str(alice.user_id)) == []
    foreign = (await stranger.get(PATH, limit=200)).json()["data"]
    assert {event["organization_id"] for event in foreign} == {str(stranger.org_id)}


async def test_without_a_token_401_and_with_the_wrong_role_403_both_in_the_log(
    person, alice: Person, nobody: httpx.AsyncClient
):
    viewer: Person = await person("viewer")
    warden: Person = await person("platform_admin")

    refused, denied = await nobody.get(PATH), await viewer.get(PATH)

    assert (refused.status_code, denied.status_code) == (401, 403)
    at_platform = await warden.get("/api/v4/platform/audit/events", request_id=refused.headers["x-request-id"])
    [event] = at_platform.json()["data"]
    assert (event["catalogue_id"], event["action"]["endpoint"]) == (AUTHENTICATION_REFUSED.id, PATH)
    assert await ids(alice, request_id=denied.headers["x-request-id"]) == [ACCESS_DENIED.id]


async def test_the_platforms_own_events_are_for_its_administrators(alice: Person, person):
    warden: Person = await person("platform_admin")

    assert (await alice.get("/api/v4/platform/audit/events")).status_code == 403
    assert (await warden.get(PATH)).status_code == 403
    events = (await warden.get("/api/v4/platform/audit/events", limit=200)).json()["data"]
    assert {event["organization_id"] for event in events} == {str(UUID(int=0))}


async def test_what_is_a_persons_is_sealed_in_the_table(alice: Person, platform: Platform):
    with enter(WorkContext("api", "r", "c", client_address="203.0.113.7", user_agent="a very rare browser")):
        async with unit_of_work(platform.db, alice.actor) as session:
            event_id = await audit.record(session, alice.actor, SESSION_ENDED)

    async with system_unit_of_work(platform.db) as session:
        query = text("select canonical from audit.event where event_id = :id")
        canonical = str(await session.scalar(query, {"id": event_id}))

    assert "203.0.113.7" not in canonical
    assert "rare browser" not in canonical
    [event] = (await alice.get(PATH, limit=1)).json()["data"]
    assert (event["source"]["ip_address"], event["context"]["user_agent"]) == ("203.0.113.7", "a very rare browser")
