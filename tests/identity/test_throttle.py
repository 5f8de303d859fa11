"""How often one may try: the same by Redis and by the database."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from redis.asyncio import Redis

from promptcraft.identity.clients import AttemptCounter, RedisCounter
from promptcraft.identity.service.throttle import ACCOUNT_AND_ADDRESS_LIMIT, DatabaseCounter, FallbackCounter
from promptcraft.kernel import clock
from promptcraft.kernel.audit.catalogue.identity import LOGIN_FAILED, LOGIN_SUCCEEDED, LOGIN_THROTTLED
from tests.conftest import Platform
from tests.people import PASSWORD, Person

WINDOW = timedelta(minutes=15)


@pytest.fixture(params=["redis", "database", "redis away"])
async def counter(request: pytest.FixtureRequest, platform: Platform) -> AttemptCounter:
    await platform.process.redis.flushdb()
    away = RedisCounter(Redis.from_url("unix:///nonexistent/valkey.sock"))
    return {
        "redis": RedisCounter(platform.process.redis),
        "database": DatabaseCounter(platform.db),
        "redis away": FallbackCounter(away, DatabaseCounter(platform.db)),
    }[request.param]


async def test_attempts_are_counted_by_key_within_a_window(counter: AttemptCounter, request: pytest.FixtureRequest):
    key = request.node.name.encode()

    first, second = await counter.hit(key, WINDOW), await counter.hit(key, WINDOW)
    other = await counter.hit(key + b"other", WINDOW)

    assert (first.count, second.count, other.count) == (1, 2, 1)
    assert timedelta(minutes=14) < second.remaining <= WINDOW


async def test_one_less_and_none_at_all(counter: AttemptCounter, request: pytest.FixtureRequest):
    key = request.node.name.encode()
    for _ in range(3):
        await counter.hit(key, WINDOW)

    await counter.forgive(key)
    after_forgiving = await counter.hit(key, WINDOW)
    await counter.clear(key)
    after_clearing = await counter.hit(key, WINDOW)

    assert (after_forgiving.count, after_clearing.count) == (3, 1)


async def test_a_window_that_is_over_counts_from_one(platform: Platform):
    counter = DatabaseCounter(platform.db)
    await counter.hit(b"over", WINDOW)

    with clock.use(lambda: datetime.now(UTC) + WINDOW):
        assert (await counter.hit(b"over", WINDOW)).count == 1


async def test_after_so_many_wrong_passwords_also_the_right_one_has_to_wait(
    alice: Person, nobody: httpx.AsyncClient, platform: Platform
):
    async def attempt(password: str) -> httpx.Response:
        return await nobody.post("/auth/token", json={"username": alice.name, "password": password})

    wrong = [await attempt("wrong") for _ in range(ACCOUNT_AND_ADDRESS_LIMIT)]
    right = await attempt(PASSWORD)

    assert [answer.status_code for answer in wrong] == [401] * ACCOUNT_AND_ADDRESS_LIMIT
    assert (right.status_code, right.json()["code"]) == (429, "login_throttled")
    assert 0 < int(right.headers["retry-after"]) <= 900
    events = (await alice.get("/api/v4/audit/events", limit=7)).json()["data"]
    assert [event["catalogue_id"] for event in events] == [
        LOGIN_THROTTLED.id,
        *[LOGIN_FAILED.id] * ACCOUNT_AND_ADDRESS_LIMIT,
        LOGIN_SUCCEEDED.id,
    ]


async def test_signing_in_forgets_what_was_wrong_before(alice: Person, nobody: httpx.AsyncClient):
    for _ in range(3):
        for password, status in (("wrong", 401), ("wrong", 401), (PASSWORD, 200)):
            answer = await nobody.post("/auth/token", json={"username": alice.name, "password": password})
            assert answer.status_code == status


async def test_a_name_that_nobody_has_is_throttled_as_well(nobody: httpx.AsyncClient):
    body = {"username": "nobody at all", "password": "x"}

    answers = [await nobody.post("/auth/token", json=body) for _ in range(ACCOUNT_AND_ADDRESS_LIMIT + 1)]

    assert [answer.status_code for answer in answers][-2:] == [401, 429]
