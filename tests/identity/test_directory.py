"""Users, groups and organisations: made, changed and kept out by those who may, and by nobody else."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from promptcraft.kernel import clock
from promptcraft.kernel.audit.catalogue.identity import (
    GROUP_JOINED,
    GROUP_LEFT,
    GROUP_MADE,
    GROUP_REMOVED,
    INVITATION_ACCEPTED,
    INVITATION_REFUSED,
    ORGANISATION_RESUMED,
    ORGANISATION_SUSPENDED,
    PASSWORD_SET,
    ROLE_BOUND,
    ROLE_UNBOUND,
    USER_ADDED,
    USER_INVITED,
    USER_OFFBOARDED,
    USER_RESUMED,
    USER_SUSPENDED,
)
from promptcraft.kernel.db import system_unit_of_work
from tests.conftest import Arrives, Platform
from tests.people import PASSWORD, Person

USERS, GROUPS, ORGANISATIONS = "/api/v4/admin/users", "/api/v4/admin/groups", "/api/v4/admin/organizations"
NEW = "a new password of theirs"


@pytest.fixture
async def left(platform: Platform):
    """The events of identity since the test began, in order."""
    async with system_unit_of_work(platform.db) as session:
        last = await session.scalar(text("select coalesce(max(xid::text::bigint), 0)::text from audit.event"))
    query = text(
        "select catalogue_id from audit.event where xid > cast(:xid as xid8)"
        " and catalogue_id between 2000 and 2999 order by event_id"
    )

    async def events() -> list[int]:
        async with system_unit_of_work(platform.db) as session:
            return list(await session.scalars(query, {"xid": last}))

    return events


def unused() -> str:
    return f"user-{uuid4().hex[:8]}"


async def invited(somebody: Person, **request: Any) -> dict[str, Any]:
    answer = await somebody.post(USERS, {"username": unused(), **request})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()["data"]


async def accept(nobody: httpx.AsyncClient, invitation: str, password: str = NEW) -> int:
    body = {"invitation": invitation, "password": password}
    return (await nobody.post("/auth/accept-invitation", json=body)).status_code


async def signs_in(nobody: httpx.AsyncClient, username: str, password: str = NEW) -> int:
    return (await nobody.post("/auth/token", json={"username": username, "password": password})).status_code


async def soon(status: int, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
    """Processes hear of a change a moment after it."""
    async with asyncio.timeout(10):
        while (await ask()).status_code != status:  # noqa: ASYNC110 - what another task hears sets no event here
            await asyncio.sleep(0.02)


async def put(somebody: Person, path: str, body: Any) -> httpx.Response:
    return await somebody.client.put(path, json=body)


# --- invitations -----------------------------------------------------------------------------------------------------


async def test_who_is_invited_sets_a_password_once_and_signs_in(alice: Person, nobody: httpx.AsyncClient, left):
    group = unused()
    made = await invited(alice, roles=["developer"], groups=[group])
    name = made["user"]["username"]
    assert (made["user"]["invited"], made["user"]["roles"], made["user"]["groups"]) == (
        True,
        ["developer"],
        [group],
    )
    assert await signs_in(nobody, name) == 401

    assert await accept(nobody, made["invitation"]) == 204
    assert await signs_in(nobody, name) == 200
    assert await accept(nobody, made["invitation"], "another password of theirs") == 401

    assert (await alice.get(f"{USERS}/{made['user']['id']}")).json()["data"]["invited"] is False
    added = [USER_ADDED.id, ROLE_BOUND.id, GROUP_MADE.id, GROUP_JOINED.id, USER_INVITED.id]
    accepted = [PASSWORD_SET.id, INVITATION_ACCEPTED.id, INVITATION_REFUSED.id]
    assert [event for event in await left() if event > 2009] == [*added, *accepted]


async def test_of_two_who_accept_at_once_one_does(alice: Person, nobody: httpx.AsyncClient):
    made = await invited(alice)

    answers = await asyncio.gather(*(accept(nobody, made["invitation"], f"{NEW} {n}") for n in range(4)))

    assert sorted(answers) == [204, 401, 401, 401]


async def test_a_role_or_group_named_twice_is_given_once(alice: Person):
    made = await invited(alice, roles=["analyst", "viewer", "analyst"], groups=["engineering", "engineering"])

    assert (made["user"]["roles"], made["user"]["groups"]) == (["analyst", "viewer"], ["engineering"])


async def test_an_invitation_ends_after_a_week_and_at_the_next_one(alice: Person, nobody: httpx.AsyncClient):
    first = await invited(alice)
    second = (await alice.post(f"{USERS}/{first['user']['id']}/invitation")).json()["data"]

    with clock.use(lambda: datetime.now(UTC) + timedelta(days=7, seconds=1)):
        assert await accept(nobody, second["invitation"]) == 401
    assert await accept(nobody, first["invitation"]) == 401
    assert await accept(nobody, second["invitation"]) == 204


async def test_who_forgot_the_password_gets_a_new_way_in_and_the_old_ones_end(
    alice: Person, person: Arrives, nobody: httpx.AsyncClient
):
    forgetful = await person("viewer")
    way = (await alice.post(f"{USERS}/{forgetful.user_id}/invitation")).json()["data"]
    assert await signs_in(nobody, forgetful.name, PASSWORD) == 200, "until it is used, nothing changes"

    assert await accept(nobody, way["invitation"]) == 204

    assert [await signs_in(nobody, forgetful.name, word) for word in (PASSWORD, NEW)] == [401, 200]
    await soon(401, lambda: forgetful.get("/api/v4/me"))


@pytest.mark.parametrize(
    "body",
    [{}, {"invitation": "x"}, {"invitation": "x", "password": "too short"}, {"invitation": "x", "password": "a" * 1025},
     {"invitation": "", "password": NEW}, {"invitation": "x", "password": NEW, "more": 1}],
)  # fmt: skip
async def test_what_is_no_acceptance_is_422_and_is_not_repeated(nobody: httpx.AsyncClient, body: dict[str, Any]):
    answer = await nobody.post("/auth/accept-invitation", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "aaaa" not in answer.text
    assert "too short" not in answer.text


@pytest.mark.parametrize(
    "request_body",
    [{"username": ""}, {"username": "a\0"}, {"username": "a" * 255}, {"roles": ["emperor"]}, {"groups": ["a/b"]},
     {"groups": ["\n"]}, {"password": "x"}],
)  # fmt: skip
async def test_an_invitation_that_cannot_be_is_422_and_adds_nobody(alice: Person, request_body: dict[str, Any]):
    before = len((await alice.get(USERS)).json()["data"])

    answer = await alice.post(USERS, {"username": unused(), **request_body})

    assert (answer.status_code, len((await alice.get(USERS)).json()["data"])) == (422, before)


async def test_a_name_that_is_taken_anywhere_is_409(alice: Person, stranger: Person):
    answer = await alice.post(USERS, {"username": stranger.name})

    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


# --- who may what ----------------------------------------------------------------------------------------------------


async def test_roles_are_in_force_at_once_for_tokens_that_are_there_already(alice: Person, person: Arrives, left):
    viewer = await person("viewer")
    path = f"{USERS}/{viewer.user_id}/roles"
    assert (await viewer.get("/api/v4/audit/events")).status_code == 403

    assert (await put(alice, path, {"roles": ["admin"]})).json()["data"]["roles"] == ["admin"]
    await soon(200, lambda: viewer.get("/api/v4/audit/events"))
    assert (await put(alice, path, {"roles": []})).status_code == 200
    await soon(403, lambda: viewer.get("/api/v4/me"))

    assert (await left())[-3:] == [ROLE_UNBOUND.id, ROLE_BOUND.id, ROLE_UNBOUND.id]


async def test_groups_are_in_force_at_once(alice: Person, person: Arrives, left):
    viewer = await person("viewer")
    path = f"{USERS}/{viewer.user_id}/groups"

    assert (await put(alice, path, {"groups": ["data-team"]})).json()["data"]["groups"] == ["data-team"]
    await soon(200, lambda: viewer.get("/api/v4/analytics/realtime"))
    assert (await put(alice, path, {"groups": []})).status_code == 200
    await soon(403, lambda: viewer.get("/api/v4/analytics/realtime"))

    assert (await left())[-2:] == [GROUP_JOINED.id, GROUP_LEFT.id]


async def test_a_groups_roles_are_its_members_and_go_with_it(alice: Person, person: Arrives, left):
    viewer, name = await person("viewer"), unused()
    await put(alice, f"{USERS}/{viewer.user_id}/groups", {"groups": [name]})

    made = await put(alice, f"{GROUPS}/{name}/roles", {"roles": ["admin"]})
    assert (made.json()["data"]["members"], made.json()["data"]["roles"]) == (1, ["admin"])
    await soon(200, lambda: viewer.get(USERS))
    assert (await alice.delete(f"{GROUPS}/{name}")).status_code == 204
    await soon(403, lambda: viewer.get(USERS))

    assert name not in (await alice.get(GROUPS)).text
    assert (await alice.delete(f"{GROUPS}/{name}")).status_code == 404
    assert (await left())[-3:] == [GROUP_JOINED.id, ROLE_BOUND.id, GROUP_REMOVED.id]


async def test_a_group_can_be_made_before_it_has_members(alice: Person, left):
    name = unused()

    assert (await put(alice, f"{GROUPS}/{name}/roles", {"roles": []})).json()["data"]["members"] == 0
    assert (await left())[-1] == GROUP_MADE.id


async def test_nobody_gives_or_takes_over_what_they_do_not_hold(alice: Person, person: Arrives):
    ruler = await person("platform_admin", "admin")

    answers = [
        await alice.post(USERS, {"username": unused(), "roles": ["platform_admin"]}),
        await put(alice, f"{GROUPS}/{unused()}/roles", {"roles": ["platform_admin"]}),
        await alice.post(f"{USERS}/{ruler.user_id}/invitation"),
        await alice.post(f"{USERS}/{ruler.user_id}/suspend"),
        await alice.post(f"{USERS}/{ruler.user_id}/offboard"),
        await put(alice, f"{USERS}/{ruler.user_id}/roles", {"roles": []}),
    ]

    assert [answer.json()["code"] for answer in answers] == ["may_more_than_you"] * 6
    assert (await ruler.get("/api/v4/me")).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "analyst", "developer"])
async def test_who_does_not_manage_users_sees_and_changes_none(person: Arrives, role: str):
    somebody = await person(role)

    answers = [
        await somebody.get(USERS),
        await somebody.get(GROUPS),
        await somebody.get(ORGANISATIONS),
        await somebody.post(USERS, {"username": unused()}),
        await somebody.post(f"{USERS}/{somebody.user_id}/suspend"),
        await put(somebody, f"{USERS}/{somebody.user_id}/roles", {"roles": ["admin"]}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6


async def test_users_of_another_organisation_are_not_there(alice: Person, stranger: Person):
    path = f"{USERS}/{alice.user_id}"

    answers = [
        await stranger.get(path),
        *[await stranger.post(f"{path}/{deed}") for deed in ("invitation", "suspend", "resume", "offboard")],
        await put(stranger, f"{path}/roles", {"roles": ["viewer"]}),
        await put(stranger, f"{path}/groups", {"groups": []}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 7
    assert alice.name not in (await stranger.get(USERS)).text


# --- keeping out -----------------------------------------------------------------------------------------------------


async def test_who_is_suspended_is_out_by_every_way_and_comes_back(
    alice: Person, person: Arrives, nobody: httpx.AsyncClient, left
):
    leaver = await person("viewer")
    key = (await leaver.post("/api/v4/api-keys", {"name": "x"})).json()["data"]["key"]
    by_key = {"Authorization": f"Bearer {key}"}

    assert (await alice.post(f"{USERS}/{leaver.user_id}/suspend")).json()["data"]["active"] is False
    await soon(401, lambda: leaver.get("/api/v4/me"))
    await soon(401, lambda: nobody.get("/api/v4/me", headers=by_key))
    assert await signs_in(nobody, leaver.name, PASSWORD) == 401

    assert (await alice.post(f"{USERS}/{leaver.user_id}/resume")).json()["data"]["active"] is True
    assert (await leaver.get("/api/v4/me")).status_code == 401, "the session stays ended"
    await soon(200, lambda: nobody.get("/api/v4/me", headers=by_key))
    assert await signs_in(nobody, leaver.name, PASSWORD) == 200
    assert [event for event in await left() if event > 2039] == [USER_SUSPENDED.id, USER_RESUMED.id]


async def test_who_is_offboarded_leaves_a_record_and_nothing_to_come_back_by(
    alice: Person, person: Arrives, nobody: httpx.AsyncClient, left
):
    leaver = await person("developer", groups=("engineering",))
    key = (await leaver.post("/api/v4/api-keys", {"name": "nightly"})).json()["data"]

    export = (await alice.post(f"{USERS}/{leaver.user_id}/offboard")).json()["data"]

    assert (export["user"]["username"], export["user"]["roles"]) == (leaver.name, ["developer"])
    assert [each["name"] for each in export["api_keys"]] == ["nightly"]
    assert len(export["sessions"]) == 1
    await alice.post(f"{USERS}/{leaver.user_id}/resume")
    assert await signs_in(nobody, leaver.name, PASSWORD) == 401
    assert (await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {key['key']}"})).status_code == 401
    now = (await alice.get(f"{USERS}/{leaver.user_id}")).json()["data"]
    assert (now["roles"], now["groups"]) == ([], [])
    assert USER_OFFBOARDED.id in await left()


async def test_nobody_locks_themselves_out(alice: Person):
    path = f"{USERS}/{alice.user_id}"

    answers = [await alice.post(f"{path}/suspend"), await put(alice, f"{path}/roles", {"roles": []})]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "not_yourself")] * 2


async def test_an_organisation_is_never_left_without_an_administrator(person: Arrives, nobody: httpx.AsyncClient):
    """Two administrators who suspend each other at once: one succeeds."""
    ruler = await person("platform_admin", org="rival")
    slug = unused()
    made = (await ruler.post(ORGANISATIONS, {"slug": slug, "name": "New", "administrator": unused()})).json()["data"]
    await accept(nobody, made["administrator"]["invitation"])

    async def signed_in(name: str) -> dict[str, str]:
        tokens = (await nobody.post("/auth/token", json={"username": name, "password": NEW})).json()
        return {"Authorization": f"Bearer {tokens['access_token']}"}

    first = await signed_in(made["administrator"]["user"]["username"])
    body = {"username": unused(), "roles": ["admin"]}
    second_made = (await nobody.post(USERS, json=body, headers=first)).json()["data"]
    await accept(nobody, second_made["invitation"])
    second = await signed_in(second_made["user"]["username"])

    answers = await asyncio.gather(
        nobody.post(f"{USERS}/{second_made['user']['id']}/suspend", headers=first),
        nobody.post(f"{USERS}/{made['administrator']['user']['id']}/suspend", headers=second),
    )

    assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 401])


# --- organisations ---------------------------------------------------------------------------------------------------


async def test_an_organisation_is_made_suspended_and_resumed(
    person: Arrives, nobody: httpx.AsyncClient, platform: Platform, left
):
    ruler, name = await person("platform_admin"), unused()
    answer = await ruler.post(ORGANISATIONS, {"slug": unused(), "name": "New", "administrator": name})
    made = answer.json()["data"]
    path = f"{ORGANISATIONS}/{made['organization']['id']}"
    await accept(nobody, made["administrator"]["invitation"])
    token = (await nobody.post("/auth/token", json={"username": name, "password": NEW})).json()["access_token"]

    async def opens() -> httpx.Response:
        return await nobody.get(USERS, headers={"Authorization": f"Bearer {token}"})

    assert (await opens()).status_code == 200
    assert (await ruler.post(f"{path}/suspend")).json()["data"]["active"] is False
    await soon(401, opens)
    assert await signs_in(nobody, name) == 401
    assert (await ruler.post(f"{path}/resume")).json()["data"]["active"] is True
    await soon(200, opens)
    assert await signs_in(nobody, name) == 200
    assert [event for event in await left() if event > 2049] == [ORGANISATION_SUSPENDED.id, ORGANISATION_RESUMED.id]


async def test_the_platforms_administrator_cannot_suspend_their_own_organisation(person: Arrives, platform: Platform):
    ruler = await person("platform_admin")

    answer = await ruler.post(f"{ORGANISATIONS}/{platform.acme}/suspend")
    unknown = await ruler.post(f"{ORGANISATIONS}/{uuid4()}/suspend")

    assert (answer.status_code, unknown.status_code) == (409, 404)


async def test_an_organisations_administrator_sees_no_other_organisation(alice: Person, platform: Platform):
    answers = [await alice.get(ORGANISATIONS), await alice.post(f"{ORGANISATIONS}/{platform.rival}/suspend")]

    assert [answer.status_code for answer in answers] == [403, 403]
