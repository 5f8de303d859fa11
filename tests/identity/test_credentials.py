"""Session credentials that are used once, API keys, and how soon what was revoked is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from promptcraft.kernel import clock
from promptcraft.kernel.audit.catalogue.identity import (
    API_KEY_MADE,
    API_KEY_REVOKED,
    API_KEY_ROTATED,
    CREDENTIAL_REVOKED,
    LOGIN_SUCCEEDED,
    SESSION_CREDENTIAL_REUSED,
    SESSION_ENDED,
    SESSION_RENEWED,
)
from promptcraft.kernel.db import system_unit_of_work
from tests.conftest import Arrives, Platform
from tests.people import PASSWORD, Person

KEYS = "/api/v4/api-keys"


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


async def signed_in(nobody: httpx.AsyncClient, somebody: Person) -> dict[str, Any]:
    answer = await nobody.post("/auth/token", json={"username": somebody.name, "password": PASSWORD})
    return answer.json()


async def renewed(nobody: httpx.AsyncClient, credential: str) -> httpx.Response:
    return await nobody.post("/auth/token", json={"session": credential})


async def made(somebody: Person, **request: Any) -> dict[str, Any]:
    answer = await somebody.post(KEYS, {"name": "nightly", **request})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


async def left(platform: Platform, somebody: Person, *, since: int = 0) -> list[int]:
    """What this person left in the log of identity's events, in order."""
    query = text("select catalogue_id from audit.event where user_id = :user order by event_id")
    async with system_unit_of_work(platform.db) as session:
        return list(await session.scalars(query, {"user": somebody.user_id}))[since:]


# --- credentials of a session ----------------------------------------------------------------------------------------


async def test_a_credential_gives_the_next_one_and_the_session_stays(alice: Person, nobody: httpx.AsyncClient):
    first = await signed_in(nobody, alice)

    second = (await renewed(nobody, first["session"])).json()
    third = (await renewed(nobody, second["session"])).json()

    assert len({first["session"], second["session"], third["session"]}) == 3
    assert first["session_expires_at"] == second["session_expires_at"] == third["session_expires_at"]
    me = [await nobody.get("/api/v4/me", headers=bearer(each["access_token"])) for each in (first, third)]
    assert me[0].json()["data"]["session_id"] == me[1].json()["data"]["session_id"]


async def test_several_who_renew_at_once_all_stay_signed_in(alice: Person, nobody: httpx.AsyncClient):
    first = await signed_in(nobody, alice)

    answers = await asyncio.gather(*(renewed(nobody, first["session"]) for _ in range(5)))

    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.json()["session"] for answer in answers}) == 5
    again = [await renewed(nobody, answer.json()["session"]) for answer in answers]
    assert [answer.status_code for answer in again] == [200] * 5


async def test_a_credential_that_comes_again_later_ends_the_whole_family(
    alice: Person, nobody: httpx.AsyncClient, platform: Platform
):
    stolen = await signed_in(nobody, alice)
    thief = (await renewed(nobody, stolen["session"])).json()

    with clock.use(lambda: datetime.now(UTC) + timedelta(seconds=11)):
        late = await renewed(nobody, stolen["session"])
    after = [
        await renewed(nobody, thief["session"]),
        await nobody.get("/api/v4/me", headers=bearer(thief["access_token"])),
    ]

    assert (late.status_code, late.json()["code"]) == (401, "session_refused")
    assert [answer.status_code for answer in after] == [401, 401]
    left_last = (await left(platform, alice))[-3:]
    assert left_last == [LOGIN_SUCCEEDED.id, SESSION_RENEWED.id, SESSION_CREDENTIAL_REUSED.id]


async def test_no_credential_is_in_the_database(alice: Person, nobody: httpx.AsyncClient, platform: Platform):
    credential = (await signed_in(nobody, alice))["session"]
    key = (await made(alice))["key"]

    async with system_unit_of_work(platform.db) as session:
        tables = ("session", "session_credential", "api_key")
        rows = [(await session.execute(text("table identity." + table))).all() for table in tables]

    assert all(rows)
    assert credential not in str(rows)
    assert key not in str(rows)


# --- API keys --------------------------------------------------------------------------------------------------------


async def test_a_key_opens_what_its_maker_may_and_nothing_more(alice: Person, nobody: httpx.AsyncClient):
    whole, bound = await made(alice), await made(alice, permissions=["profile:read"])

    def get(path: str, key: dict[str, Any]):
        return nobody.get(path, headers=bearer(key["key"]))

    me = (await get("/api/v4/me", whole)).json()["data"]
    assert (me["username"], me["session_id"], me["session_expires_at"]) == (alice.name, None, None)
    assert (await get("/api/v4/audit/events", whole)).status_code == 200
    assert (await get("/api/v4/me", bound)).json()["data"]["permissions"] == ["profile:read"]
    assert (await get("/api/v4/audit/events", bound)).status_code == 403


async def test_nobody_makes_a_key_that_may_more_than_they(person: Arrives):
    viewer = await person("viewer")

    refused = await viewer.post(KEYS, {"name": "x", "permissions": ["profile:read", "agent:delete"]})

    assert (refused.status_code, refused.json()["code"]) == (422, "permissions_not_held")
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/permissions/1"]


async def test_a_key_makes_no_key_that_may_more_than_it(alice: Person, nobody: httpx.AsyncClient):
    key = await made(alice, permissions=["api_key:manage", "profile:read"])

    body = {"name": "x", "permissions": ["agent:delete"]}
    refused = await nobody.post(KEYS, json=body, headers=bearer(key["key"]))
    same = await nobody.post(KEYS, json={"name": "x"}, headers=bearer(key["key"]))

    assert refused.status_code == 422
    assert same.json()["data"]["permissions"] == ["api_key:manage", "profile:read"]


@pytest.mark.parametrize(
    "change",
    [lambda key: key[:-1], lambda key: key + "a", lambda key: key[:10] + ("b" if key[10] == "a" else "a") + key[11:],
     lambda _: "pcat_", lambda _: "pcat_" + "é" * 36, lambda key: key.upper()],
)  # fmt: skip
async def test_a_key_that_was_cut_off_or_mistyped_is_told_so(alice: Person, nobody: httpx.AsyncClient, change):
    key = (await made(alice))["key"]

    refused = await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {change(key)}".encode()})

    assert (refused.status_code, refused.json()["code"]) == (
        401,
        "api_key_refused" if change(key)[:5] == "pcat_" else "token_invalid",
    )


async def test_a_key_ends_at_its_time(alice: Person, nobody: httpx.AsyncClient):
    key = await made(alice, expires_in_days=1)

    with clock.use(lambda: datetime.now(UTC) + timedelta(days=1, seconds=1)):
        refused = await nobody.get("/api/v4/me", headers=bearer(key["key"]))

    assert (refused.status_code, refused.json()["code"]) == (401, "api_key_refused")


async def test_a_rotated_key_works_on_for_the_overlap(alice: Person, nobody: httpx.AsyncClient):
    old = await made(alice, permissions=["profile:read"])
    new = (await alice.post(f"{KEYS}/{old['id']}/rotate", {"overlap_hours": 2})).json()["data"]

    async def opens(key: dict[str, Any], after: timedelta) -> bool:
        with clock.use(lambda: datetime.now(UTC) + after):
            return (await nobody.get("/api/v4/me", headers=bearer(key["key"]))).status_code == 200

    assert new["permissions"] == ["profile:read"]
    assert await opens(old, timedelta(hours=1)), "within the overlap"
    assert not await opens(old, timedelta(hours=3)), "after it"
    assert await opens(new, timedelta(hours=3))


async def test_the_list_shows_when_a_key_was_used_and_never_the_key(alice: Person, nobody: httpx.AsyncClient):
    key = await made(alice)
    before = (await alice.get(KEYS)).json()["data"]
    await nobody.get("/api/v4/me", headers=bearer(key["key"]))
    after = await alice.get(KEYS)

    assert [each["last_used_at"] for each in before if each["id"] == key["id"]] == [None]
    [shown] = [each for each in after.json()["data"] if each["id"] == key["id"]]
    assert shown["last_used_at"]
    assert key["key"].startswith(shown["hint"])
    assert key["key"] not in after.text


async def test_keys_and_sessions_of_others_are_not_there(alice: Person, person: Arrives, stranger: Person):
    key = await made(alice)
    session = (await alice.get("/api/v4/me")).json()["data"]["session_id"]
    colleague = await person("developer")

    for other in (stranger, colleague):
        assert key["id"] not in (await other.get(KEYS)).text
        answers = [
            await other.delete(f"{KEYS}/{key['id']}"),
            await other.post(f"{KEYS}/{key['id']}/rotate", {}),
            await other.delete(f"/api/v4/sessions/{session}"),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_who_manages_users_revokes_a_colleagues_key_but_cannot_take_it_over(alice: Person, person: Arrives):
    colleague = await person("developer")
    key = await made(colleague)

    assert key["id"] in (await alice.get(KEYS)).text
    assert (await alice.post(f"{KEYS}/{key['id']}/rotate", {})).status_code == 404
    assert (await alice.delete(f"{KEYS}/{key['id']}")).status_code == 204
    assert (await alice.delete(f"{KEYS}/{key['id']}")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "a\0b"}, {"name": "x" * 101}, {"name": "x", "permissions": []},
     {"name": "x", "permissions": ["everything"]}, {"name": "x", "expires_in_days": 0},
     {"name": "x", "expires_in_days": 10_000}, {"name": "x", "more": 1}],
)  # fmt: skip
async def test_a_key_that_cannot_be_is_422(alice: Person, body: dict[str, Any]):
    answer = await alice.post(KEYS, body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_each_change_leaves_its_event(alice: Person, platform: Platform):
    before = len(await left(platform, alice))
    key = await made(alice)
    new = (await alice.post(f"{KEYS}/{key['id']}/rotate", {})).json()["data"]
    await alice.delete(f"{KEYS}/{new['id']}")

    expected = [API_KEY_MADE.id, API_KEY_ROTATED.id, API_KEY_REVOKED.id]
    assert await left(platform, alice, since=before) == expected


# --- revocation ------------------------------------------------------------------------------------------------------


async def test_whoever_holds_a_credential_revokes_it(alice: Person, nobody: httpx.AsyncClient, platform: Platform):
    tokens, key = await signed_in(nobody, alice), await made(alice)
    second = await signed_in(nobody, alice)
    before = len(await left(platform, alice))

    for credential in (tokens["access_token"], second["session"], key["key"]):
        assert (await nobody.post("/auth/revoke", json={"token": credential})).status_code == 204

    gone = [tokens["access_token"], second["access_token"], key["key"]]
    assert [(await nobody.get("/api/v4/me", headers=bearer(each))).status_code for each in gone] == [401, 401, 401]
    assert (await renewed(nobody, second["session"])).status_code == 401
    assert (await renewed(nobody, tokens["session"])).status_code == 200, "a token falls alone"
    assert await left(platform, alice, since=before) == [CREDENTIAL_REVOKED.id] * 3 + [SESSION_RENEWED.id]


@pytest.mark.parametrize("credential", ["nonsense", "pcs_unknown", "pcat_unknown", "a.b.c", "é", "\ud800"])
async def test_revoking_what_is_not_valid_tells_nothing(nobody: httpx.AsyncClient, credential: str):
    if credential == "\ud800":
        answer = await nobody.post("/auth/revoke", content=b'{"token": "\\ud800"}')
        assert answer.status_code in (204, 422)
        return
    assert (await nobody.post("/auth/revoke", json={"token": credential})).status_code == 204


async def test_one_ends_a_session_elsewhere(alice: Person, nobody: httpx.AsyncClient, platform: Platform):
    elsewhere = await signed_in(nobody, alice)
    shown = (await alice.get("/api/v4/sessions")).json()["data"]
    [other] = [each["id"] for each in shown if not each["current"]]

    assert (await alice.delete(f"/api/v4/sessions/{other}")).status_code == 204

    assert (await nobody.get("/api/v4/me", headers=bearer(elsewhere["access_token"]))).status_code == 401
    assert (await alice.get("/api/v4/me")).status_code == 200
    assert (await left(platform, alice))[-1] == SESSION_ENDED.id
