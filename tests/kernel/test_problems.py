"""Problem documents for what ends a request before any service sees it, or behind every service's back."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from promptcraft.kernel.asgi import RequestContext
from promptcraft.kernel.db import Database
from promptcraft.kernel.problems import MEDIA_TYPE, install_problem_handlers
from tests.people import Person

LARGE = b" " * (2**20 + 1)
NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"


async def in_chunks() -> AsyncIterator[bytes]:
    for start in range(0, len(LARGE), 2**16):
        yield LARGE[start : start + 2**16]


async def test_a_body_that_is_read_whole_is_bounded_before_anybody_signs_in(nobody: httpx.AsyncClient):
    announced = await nobody.post("/auth/token", content=LARGE)
    in_pieces = await nobody.post("/auth/token", content=in_chunks())

    for answer in (announced, in_pieces):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_route_that_takes_its_body_piece_by_piece_sets_its_own_limit(alice: Person):
    answer = await alice.client.post("/api/v4/admin/knowledge/uploads", content=LARGE)

    assert (answer.status_code, answer.json()["code"]) == (422, "archive_not_usable")


@pytest.fixture
async def broken() -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to an application that fails while its database, and with it the audit log, is away."""
    app = FastAPI()
    app.state.db = Database.connect(NOWHERE, NOWHERE)
    install_problem_handlers(app)

    @app.get("/fails")
    async def fails() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(RequestContext(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client
    await app.state.db.dispose()


async def test_a_failure_that_cannot_be_audited_is_a_problem_all_the_same(broken: httpx.AsyncClient):
    answer = await broken.get("/fails")

    assert (answer.status_code, answer.headers["content-type"]) == (500, MEDIA_TYPE)
    assert answer.json()["code"] == "internal"
