"""Every route that changes something leaves exactly what its entry of the catalogue lists, however the request ends.

Generated from the routes. What success leaves is each context's to show; here are the ends that all of them share.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from promptcraft.app.parts import routers
from promptcraft.kernel.api import Door, door_of
from promptcraft.kernel.audit import Outcome
from promptcraft.kernel.audit.catalogue.kernel import AUTHENTICATION_REFUSED
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.kernel.ids import new_id
from tests.conftest import Platform
from tests.people import Person, arrive

DOORS: dict[str, Door] = {}
BODIES: dict[str, str] = {}
for router in routers():
    for route in iter_route_contexts(router.routes):
        for method in sorted(set(route.methods or ()) - {"GET", "HEAD", "OPTIONS"}):
            found = door_of(route.dependant)
            assert found is not None
            DOORS[f"{method} {route.path}"] = found
            if route.dependant.body_params:
                BODIES[f"{method} {route.path}"] = "application/json"
# They read their bodies themselves.
BODIES["POST /api/v4/admin/knowledge/uploads"] = "application/gzip"
BODIES["POST /api/v4/models/v1/chat/completions"] = "application/json"
# Nobody is anybody there, so nobody can lack a permission.
OF_PEOPLE = [operation for operation, door in DOORS.items() if door.permission is not None]
HUNG_UP = 499


@pytest.fixture(scope="module")
async def powerless(platform: Platform) -> AsyncIterator[Person]:
    """Somebody who is signed in and may do nothing."""
    somebody = await arrive(platform.parts.identity, platform.asgi, platform.acme, "powerless", ())
    yield somebody
    await somebody.client.aclose()


@pytest.fixture(scope="module")
async def mighty(platform: Platform) -> AsyncIterator[Person]:
    roles = ("admin", "platform_admin")
    somebody = await arrive(platform.parts.identity, platform.asgi, platform.acme, "mighty", roles)
    yield somebody
    await somebody.client.aclose()


def parts_of(operation: str) -> tuple[str, str]:
    """The method, and a path with ids and names of nothing."""
    method, path = operation.split(" ", 1)
    identifiers = ("user_id", "key_id", "session_id", "org_id", "execution_id", "creation_id", "deployment_id")
    return method, path.format_map({"name": "nothing", **dict.fromkeys(identifiers, str(new_id()))})


async def left(platform: Platform, request_id: str) -> tuple[int, ...]:
    async with system_unit_of_work(platform.db) as session:
        rows = await session.scalars(
            text("select catalogue_id from audit.event where request_id = :id order by event_id"), {"id": request_id}
        )
        return tuple(rows)


async def hangs_up(person: Person | None, platform: Platform, operation: str, begun: bytes) -> tuple[int, str]:
    """Send the head and the beginning of a body, then close; gives the status in the metrics and the request's id."""
    method, path = parts_of(operation)
    sent: list[dict[str, Any]] = []
    coming = iter([{"type": "http.request", "body": begun, "more_body": True}])

    async def receive() -> dict[str, Any]:
        return next(coming, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", BODIES[operation].encode()), (b"content-length", b"1000")]
    if person is not None:
        headers.append((b"authorization", person.client.headers["Authorization"].encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": headers,
        "client": ("192.0.2.7", 4711), "server": ("promptcraft.test", 80),
    }  # fmt: skip
    await platform.asgi(scope, receive, send)
    head = sent[0]
    return head["status"], dict(head["headers"])[b"x-request-id"].decode()


@pytest.mark.parametrize("operation", OF_PEOPLE)
async def test_one_who_may_not_leaves_what_the_catalogue_lists_for_denied(
    operation: str, platform: Platform, powerless: Person
):
    method, path = parts_of(operation)

    answer = await powerless.client.request(method, path, json={})

    assert answer.status_code == 403
    event = DOORS[operation].event
    assert event is not None
    assert await left(platform, answer.headers["x-request-id"]) == event.leaves(Outcome.DENIED)


@pytest.mark.parametrize("operation", OF_PEOPLE)
async def test_one_who_is_not_signed_in_leaves_that(operation: str, platform: Platform, nobody: Any):
    method, path = parts_of(operation)

    answer = await nobody.request(method, path, json={})

    assert answer.status_code == 401
    assert await left(platform, answer.headers["x-request-id"]) == (AUTHENTICATION_REFUSED.id,)


@pytest.mark.parametrize("operation", sorted(BODIES))
async def test_a_body_that_is_broken_leaves_what_the_catalogue_lists_for_invalid(
    operation: str, platform: Platform, mighty: Person
):
    method, path = parts_of(operation)

    answer = await mighty.client.request(method, path, content=b'{"', headers={"Content-Type": BODIES[operation]})

    assert answer.status_code in (400, 422)
    event = DOORS[operation].event
    assert event is not None
    assert await left(platform, answer.headers["x-request-id"]) == event.leaves(Outcome.INVALID)


@pytest.mark.parametrize("operation", [one for one in OF_PEOPLE if "{" in one and one not in BODIES])
async def test_what_is_not_there_leaves_what_the_catalogue_lists_for_invalid(
    operation: str, platform: Platform, mighty: Person
):
    method, path = parts_of(operation)

    answer = await mighty.client.request(method, path)

    assert answer.status_code == 404
    event = DOORS[operation].event
    assert event is not None
    assert await left(platform, answer.headers["x-request-id"]) == event.leaves(Outcome.INVALID)


@pytest.mark.parametrize("operation", sorted(BODIES))
async def test_who_hangs_up_midway_leaves_what_the_catalogue_lists_for_it(
    operation: str, platform: Platform, mighty: Person
):
    status, request_id = await hangs_up(mighty, platform, operation, b'{"')

    event = DOORS[operation].event
    assert event is not None
    assert (status, await left(platform, request_id)) == (HUNG_UP, event.leaves(Outcome.DISCONNECT))


@pytest.mark.parametrize("operation", sorted(set(BODIES) & set(OF_PEOPLE)))
async def test_who_hangs_up_without_having_signed_in_leaves_that_alone(operation: str, platform: Platform):
    status, request_id = await hangs_up(None, platform, operation, b'{"')

    assert (status, await left(platform, request_id)) == (401, (AUTHENTICATION_REFUSED.id,))
