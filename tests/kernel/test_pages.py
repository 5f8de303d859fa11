"""Lists are given a page at a time, and no entry is missed or told twice while others are added."""

import base64
import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from promptcraft.app.parts import routers
from promptcraft.kernel.api import AskedPage
from promptcraft_sdk.client import AsyncClient, Credentials, api
from tests.conftest import Platform
from tests.people import Person

USERS = "/api/v4/admin/users"
EVENTS = "/api/v4/audit/events"
# Lists that are short and known beforehand, or have another contract's form.
WHOLE = {"/api/v4/roles", "/api/v4/executions/{execution_id}/model-calls"}
NEXT = re.compile(r'^<(/[^>]+)>; rel="next"$')


def following(answer: Any) -> str | None:
    found = NEXT.match(answer.headers.get("link", ""))
    return found[1] if found else None


async def invited(alice: Person, *names: str) -> None:
    for name in names:
        assert (await alice.post(USERS, {"username": name})).status_code == 201


async def test_pages_lead_from_one_to_the_next_and_miss_nothing_that_was_there(alice: Person):
    await invited(alice, *(f"page-{number}" for number in range(1, 6)))
    seen: list[str] = []
    path: str | None = f"{USERS}?limit=2"
    added = iter(("aa-before", "page-3-after", "zz-last"))

    while path is not None:
        answer = await alice.client.get(path)
        assert len(answer.json()["data"]) <= 2
        seen += [user["username"] for user in answer.json()["data"]]
        if (name := next(added, None)) is not None:
            await invited(alice, name)
        path = following(answer)

    assert len(seen) == len(set(seen))
    assert {f"page-{number}" for number in range(1, 6)} <= set(seen)
    assert seen == sorted(seen)


async def test_the_newest_first_goes_on_with_older_ones(alice: Person):
    whole = (await alice.get(EVENTS, limit=6)).json()["data"]

    first = await alice.get(EVENTS, limit=3)
    await invited(alice, "newer-than-the-first-page")
    second = await alice.client.get(following(first) or "")

    assert [event["event_id"] for event in first.json()["data"] + second.json()["data"]] == [
        event["event_id"] for event in whole
    ]


async def test_filters_go_along_and_a_cursor_of_another_list_is_refused(alice: Person):
    await invited(alice, "filtered-1", "filtered-2")
    first = await alice.get(EVENTS, limit=1, action="user.*")
    path = following(first) or ""

    assert (await alice.client.get(path)).json()["data"][0]["action"]["operation"].startswith("user.")
    elsewhere = [path.replace("user.", "api_key."), path.replace(EVENTS, "/api/v4/executions")]
    for other in elsewhere:
        answer = await alice.client.get(other)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor")


def forged(path: str, *place: str) -> str:
    whose = base64.urlsafe_b64decode(path.rpartition("cursor=")[2] + "===")[2:10].decode()
    content = "[" + ",".join(f'"{one}"' for one in (whose, *place)) + "]"
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


@pytest.mark.parametrize("cursor", ["x", "%00", "é", "e30", "MQ", "W10", "=", "[]"])
async def test_what_is_no_cursor_is_a_bad_request(alice: Person, cursor: str):
    answer = await alice.get(EVENTS, cursor=cursor)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor")


async def test_a_forged_place_is_a_bad_request(alice: Person):
    path = following(await alice.get(EVENTS, limit=1)) or ""

    for place in (["yesterday", "x"], ["2026-01-01T00:00:00+00:00"], ["2026-01-01T00:00:00+00:00", "7"]):
        answer = await alice.get(EVENTS, cursor=forged(path, *place))
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor")


@pytest.mark.parametrize("limit", ["0", "201", "x"])
async def test_a_page_holds_between_1_and_200(alice: Person, limit: str):
    answer = await alice.get(USERS, limit=limit)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")


async def test_the_client_gathers_a_list_and_stops_where_it_has_enough(alice: Person, platform: Platform):
    await invited(alice, *(f"gathered-{number}" for number in range(5)))
    token = alice.client.headers["Authorization"].removeprefix("Bearer ")
    async with AsyncClient("http://promptcraft.test", Credentials(access_token=token)) as client:
        client._http = alice.client  # pyright: ignore[reportPrivateUsage] -- the platform in this process
        users = api.users()
        call = type(users)(**{**{name: getattr(users, name) for name in users.__slots__}, "query": {"limit": "2"}})
        everybody = await client.send(call)
        few = await client.send(api.audit_events(limit=3))

    assert {f"gathered-{number}" for number in range(5)} <= {user.username for user in everybody}
    assert len({user.id for user in everybody}) == len(everybody)
    assert len(few) == 3


def test_every_route_that_lists_gives_pages(platform: Platform):
    app: FastAPI = platform.app
    paths = app.openapi()["paths"]
    schemas = app.openapi()["components"]["schemas"]
    lists: set[str] = set()
    for path, item in paths.items():
        content = item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        data = schemas.get(name, {}).get("properties", {}).get("data", {})
        if data.get("type") == "array" and "status" in schemas[name]["properties"]:
            lists.add(path)
    pages = {
        route.path
        for router in routers()
        for route in iter_route_contexts(router.routes)
        for one in route.dependant.dependencies
        if one.call is AskedPage.__metadata__[0].dependency
    }

    assert lists == pages | WHOLE
