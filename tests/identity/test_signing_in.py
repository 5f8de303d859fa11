"""Signing in and out, and what each attempt leaves in the log."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from promptcraft.identity import add_user
from promptcraft.kernel import clock
from promptcraft.kernel.actor import PLATFORM_ORG, platform_actor
from promptcraft.kernel.audit.catalogue.identity import (
    LOGIN_FAILED,
    LOGIN_SUCCEEDED,
    SESSION_ENDED,
    SESSION_REFUSED,
    SESSION_RENEWED,
)
from promptcraft.kernel.audit.catalogue.kernel import AUTHENTICATION_REFUSED, REQUEST_INVALID
from promptcraft.kernel.db import system_unit_of_work
from tests.conftest import Platform
from tests.people import PASSWORD, Person


@pytest.fixture
async def log(alice: Person, platform: Platform):
    """The events since the test began, as (organisation, catalogue id)."""
    names = {platform.acme: "acme", platform.rival: "rival", PLATFORM_ORG: "platform"}
    # By transaction and not by time, which tests set as they need it.
    query = text("select org_id, catalogue_id from audit.event where xid > cast(:xid as xid8) order by xid")
    async with system_unit_of_work(platform.db) as session:
        last = await session.scalar(text("select coalesce(max(xid::text::bigint), 0)::text from audit.event"))

    async def events() -> list[tuple[str, int]]:
        async with system_unit_of_work(platform.db) as session:
            return [
                (names[org_id], catalogue_id) for org_id, catalogue_id in await session.execute(query, {"xid": last})
            ]

    return events


async def sign_in(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/auth/token", json={"username": username, "password": password})


async def test_signing_in_gives_an_access_token_that_opens_the_door(alice: Person, nobody: httpx.AsyncClient):
    answer = await sign_in(nobody, alice.name)

    tokens = answer.json()
    me = await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert (answer.status_code, tokens["token_type"], tokens["expires_in"]) == (200, "Bearer", 300)
    assert answer.headers["cache-control"] == "no-store"
    assert me.json()["data"]["username"] == alice.name


async def test_a_session_lasts_as_long_as_the_setting_says_and_no_longer(alice: Person, nobody: httpx.AsyncClient):
    tokens = (await sign_in(nobody, alice.name)).json()
    ends = datetime.fromisoformat(tokens["session_expires_at"])
    assert timedelta(hours=11, minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=12)

    with clock.use(lambda: ends - timedelta(minutes=2)):
        late = await nobody.post("/auth/token", json={"session": tokens["session"]})
    with clock.use(lambda: ends):
        over = await nobody.post("/auth/token", json={"session": tokens["session"]})

    assert (late.status_code, late.json()["expires_in"]) == (200, 120)
    assert (over.status_code, over.json()["code"]) == (401, "session_refused")


async def test_the_session_credential_is_nowhere_in_the_database(
    alice: Person, nobody: httpx.AsyncClient, platform: Platform
):
    credential = (await sign_in(nobody, alice.name)).json()["session"]

    async with system_unit_of_work(platform.db) as session:
        rows = (await session.execute(text("select * from identity.session"))).all()

    assert rows
    assert credential not in str(rows)


async def test_each_attempt_leaves_exactly_one_event(alice: Person, nobody: httpx.AsyncClient, log):
    await sign_in(nobody, alice.name)
    await sign_in(nobody, alice.name, "wrong")
    await sign_in(nobody, "nobody by that name")
    await nobody.post("/auth/token", json={"username": alice.name})
    await nobody.post("/auth/token", json={"session": "pcs_unknown"})

    assert await log() == [
        ("acme", LOGIN_SUCCEEDED.id),
        ("acme", LOGIN_FAILED.id),
        ("platform", LOGIN_FAILED.id),
        ("platform", REQUEST_INVALID.id),
        ("platform", SESSION_REFUSED.id),
    ]


async def test_renewing_and_signing_out_leave_one_event_each(alice: Person, nobody: httpx.AsyncClient, log):
    tokens = (await sign_in(nobody, alice.name)).json()
    renewed = (await nobody.post("/auth/token", json={"session": tokens["session"]})).json()
    bearer = {"Authorization": f"Bearer {renewed['access_token']}"}

    ended = await nobody.post("/auth/logout", headers=bearer)
    after = await nobody.post("/auth/token", json={"session": tokens["session"]})

    assert (ended.status_code, after.status_code) == (204, 401)
    expected = [LOGIN_SUCCEEDED, SESSION_RENEWED, SESSION_ENDED, SESSION_REFUSED]
    assert await log() == [("acme", event.id) for event in expected]


async def test_after_signing_out_no_token_of_the_session_opens_the_door(alice: Person, nobody: httpx.AsyncClient, log):
    first = (await sign_in(nobody, alice.name)).json()
    second = (await nobody.post("/auth/token", json={"session": first["session"]})).json()
    await nobody.post("/auth/logout", headers={"Authorization": f"Bearer {second['access_token']}"})

    # A session may be taken for alive for a second after its end.
    with clock.use(lambda: datetime.now(UTC) + timedelta(seconds=2)):
        answers = [
            await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
            for tokens in (first, second)
        ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(401, "session_over")] * 2
    assert (await log())[-2:] == [("platform", AUTHENTICATION_REFUSED.id)] * 2


async def test_a_wrong_name_and_a_wrong_password_are_told_the_same(alice: Person, nobody: httpx.AsyncClient):
    wrong_password = await sign_in(nobody, alice.name, "wrong")
    wrong_name = await sign_in(nobody, "nobody by that name", "wrong")

    def told(answer: httpx.Response) -> tuple[int, dict[str, str]]:
        return answer.status_code, {**answer.json(), "request_id": ""}

    assert told(wrong_password) == told(wrong_name)
    assert wrong_password.status_code == 401


async def test_a_username_is_the_same_in_any_case(alice: Person, nobody: httpx.AsyncClient):
    assert (await sign_in(nobody, f" {alice.name.upper()} ")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "a"},
        {"password": "a"},
        {"username": "a", "password": "b", "session": "c"},
        {"username": "a", "session": "c"},
        {"username": "a", "password": "b", "more": 1},
        {"username": "", "password": "b"},
        {"username": "a", "password": "b" * 1025},
        {"username": ["a"], "password": "b"},
        {"username": "a\0b", "password": "b"},
        {"username": "\ud800", "password": "b"},
        [],
    ],
)
async def test_what_is_neither_a_login_nor_a_session_is_422_and_is_not_repeated(nobody: httpx.AsyncClient, body):
    headers = {"Content-Type": "application/json"}

    answer = await nobody.post("/auth/token", content=json.dumps(body), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "bbbb" not in answer.text


@pytest.mark.parametrize("name", ["🙂", "a'; drop table identity.session; --", "\u202enimda", "a" * 254, "%", "\n"])
async def test_whatever_is_typed_as_a_name_is_refused_like_any_other(nobody: httpx.AsyncClient, name: str):
    answer = await sign_in(nobody, name)

    assert (answer.status_code, answer.json()["code"]) == (401, "login_refused")


async def test_the_log_holds_the_name_that_was_tried_and_never_the_password(
    person, alice: Person, nobody: httpx.AsyncClient
):
    request_id = (await sign_in(nobody, alice.name, "hunter2-swordfish")).headers["x-request-id"]

    answer = await alice.get("/api/v4/audit/events", request_id=request_id)

    [event] = answer.json()["data"]
    assert (event["details"]["username"], event["details"]["reason"]) == (alice.name, "wrong_password")
    assert event["outcome"]["status_code"] == 401
    assert "hunter2" not in answer.text


async def test_groups_give_what_the_specification_lists(person):
    analyst: Person = await person("viewer", groups=("security-team",))

    me = (await analyst.get("/api/v4/me")).json()["data"]

    assert me["groups"] == ["security-team"]
    assert "audit:read" in me["permissions"]


async def test_a_name_is_taken_over_all_organisations(alice: Person, platform: Platform):
    with pytest.raises(Exception, match="already"):
        await add_user(platform.db, platform_actor(org_id=platform.rival), alice.name.upper(), PASSWORD)
