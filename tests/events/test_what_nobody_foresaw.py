"""A request that fails inside leaves the one event that the catalogue lists for it, whichever route it was.

What fails is real: the platform's database roles lose their rights to every table but the log.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import create_engine, text

from promptcraft.app.parts import routers
from promptcraft.app.up.servers import Urls
from promptcraft.kernel.api import Door, door_of
from promptcraft.kernel.audit import Outcome
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.migrations.access import APP, SYSTEM, TABLES, apply
from tests.conftest import Platform
from tests.people import Person, arrive
from tests.tenants.conftest import Missing
from tests.tenants.entries import ENTRIES

DOORS: dict[str, Door | None] = {
    f"{method} {route.path}": door_of(route.dependant)
    for router in routers()
    for route in iter_route_contexts(router.routes)
    for method in sorted(set(route.methods or ()) - {"GET", "HEAD", "OPTIONS"})
}


@pytest.fixture(scope="module")
def settings_given() -> dict[str, str]:
    return {"PROMPTCRAFT_MODEL_PRIVATE_NETWORKS": "127.0.0.0/8"}


@pytest.fixture(scope="module")
async def mighty(platform: Platform) -> AsyncIterator[Person]:
    roles = ("admin", "platform_admin")
    somebody = await arrive(platform.parts.identity, platform.asgi, platform.acme, "mighty", roles)
    yield somebody
    await somebody.client.aclose()


@pytest.fixture(scope="module")
async def broken(urls: Urls, platform: Platform, mighty: Person) -> AsyncIterator[None]:
    """Nothing but the log is within the platform's reach; who Mighty is, it knows already."""
    assert (await mighty.get("/api/v4/me")).status_code == 200
    engine = create_engine(urls.owner)
    with engine.begin() as connection:
        for name in set(TABLES) - {"audit.event"}:
            connection.execute(text(f"revoke all on {name} from {APP}, {SYSTEM}"))
    yield
    with engine.begin() as connection:
        apply(connection)
    engine.dispose()


@pytest.mark.parametrize("operation", sorted(DOORS))
async def test_a_failure_leaves_what_the_catalogue_lists_for_an_exception(
    operation: str, platform: Platform, mighty: Person, broken: None
):
    entry, things = ENTRIES[operation], Missing()()
    method, path = operation.split(" ", 1)
    body = None if entry.body is None else entry.body(things)

    async with asyncio.timeout(15):
        answer = await mighty.client.request(
            method, path.format(**entry.path(things)), json=body, content=entry.content, headers=entry.headers
        )

    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "InsufficientPrivilege" not in answer.text
    async with system_unit_of_work(platform.db) as session:
        left = await session.scalars(
            text("select catalogue_id from audit.event where request_id = :id"),
            {"id": answer.headers["x-request-id"]},
        )
        door = DOORS[operation]
        assert door is not None
        assert door.event is not None
        assert tuple(left) == door.event.leaves(Outcome.EXCEPTION)
