"""Requests over a limit are refused until the minute is over, and told how many are left before that."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from redis.exceptions import RedisError

from promptcraft.kernel.audit.catalogue.quotas import REQUESTS_LIMITED
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.wakeups import redis_client
from promptcraft.quotas import Counter, LocalCounter, RedisCounter, RequestLimits, RequestsLimited, open_limits
from promptcraft.settings import QuotasSettings
from tests.conftest import Arrives, Platform
from tests.people import Person

ME = "/api/v4/me"
USER, ORGANISATION, KEY, ADDRESS = 6, 60, 4, 4


@pytest.fixture(scope="module")
def settings_given() -> dict[str, str]:
    return {
        "PROMPTCRAFT_RATE_LIMIT_USER": str(USER),
        "PROMPTCRAFT_RATE_LIMIT_ORGANISATION": str(ORGANISATION),
        "PROMPTCRAFT_RATE_LIMIT_KEY": str(KEY),
        "PROMPTCRAFT_RATE_LIMIT_ADDRESS": str(ADDRESS),
    }


@pytest.fixture(autouse=True)
async def a_new_minute(platform: Platform) -> None:
    await platform.process.redis.flushdb()


async def test_what_is_left_is_told_and_the_next_one_over_is_refused(alice: Person, person: Arrives):
    told = [(await alice.get(ME)).headers["ratelimit"] for _ in range(USER)]
    refused = await alice.get(ME)

    assert [re.sub(r";t=\d+", "", one) for one in told] == [f'"user";r={left}' for left in range(USER - 1, -1, -1)]
    assert refused.headers["ratelimit-policy"] == f'"user";q={USER};w=60, "organization";q={ORGANISATION};w=60'
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit"] == f'"user";r=0;t={refused.headers["retry-after"]}'
    colleague = await person("viewer")
    assert (await colleague.get(ME)).status_code == 200


async def test_one_event_says_it_for_the_minute(alice: Person):
    for _ in range(USER + 3):
        await alice.get(ME)

    assert await alice.events() == [REQUESTS_LIMITED.id]


async def test_a_key_has_its_own_limit(alice: Person):
    made = (await alice.post("/api/v4/api-keys", {"name": "nightly"})).json()["data"]
    headers = {"Authorization": f"Bearer {made['key']}"}

    answers = [(await alice.client.get(ME, headers=headers)).status_code for _ in range(KEY + 1)]

    assert answers == [200] * KEY + [429]
    assert (await alice.get(ME)).status_code == 429  # five of the user's six were the key's


async def test_an_organisation_has_its_own_limit(person: Arrives, stranger: Person):
    people = [await person("viewer") for _ in range(ORGANISATION // USER + 1)]

    answers = [(await somebody.get(ME)).status_code for somebody in people for _ in range(USER)]

    assert answers == [200] * ORGANISATION + [429] * USER
    assert (await stranger.get(ME)).status_code == 200


async def test_whoever_shows_no_credentials_is_counted_by_address(nobody: httpx.AsyncClient, alice: Person):
    bad = {"Authorization": "Bearer nothing"}
    answers = [await nobody.get(ME), await nobody.get(ME, headers=bad)]
    answers += [await nobody.post("/auth/revoke", json={"token": "x"}), await nobody.get("/.well-known/jwks.json")]
    over = [await nobody.get(ME), await nobody.post("/auth/token", json={"username": "a", "password": "b"})]

    assert [answer.status_code for answer in answers] == [401, 401, 204, 200]
    assert [answer.status_code for answer in over] == [429, 429]
    assert (await alice.get(ME)).status_code == 200


async def test_health_is_told_to_whoever_asks(nobody: httpx.AsyncClient):
    answers = [await nobody.get("/health/live") for _ in range(ADDRESS + 2)]

    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


async def test_while_redis_is_away_each_process_counts_alone(platform: Platform, alice: Person):
    away = RedisCounter(redis_client("unix:///nowhere.sock"))
    settings = QuotasSettings(rate_limit_user=2)
    limits = RequestLimits(platform.db, settings, away)

    with enter(WorkContext("api", "r", "r")):
        await limits.count(alice.actor, None)
        await limits.count(alice.actor, None)
        with pytest.raises(RequestsLimited):
            await limits.count(alice.actor, None)


async def test_what_one_process_let_in_the_others_know_a_moment_later(platform: Platform, alice: Person):
    settings = QuotasSettings(rate_limit_user=1000, rate_limit_organisation=1000)
    one, other = (open_limits(platform.db, platform.process.redis, settings) for _ in range(2))
    for _ in range(5):
        await left_after(one, alice)

    by_one = 0
    for asked in range(1, 41):
        by_one = 1000 - await left_after(other, alice) - asked
        if by_one == 5:
            break
        await asyncio.sleep(0.05)

    assert by_one == 5


async def test_processes_together_let_in_what_the_limit_says(platform: Platform, alice: Person):
    settings = QuotasSettings(rate_limit_user=700)
    processes = [open_limits(platform.db, platform.process.redis, settings) for _ in range(3)]
    let_in = 0

    async def knock(limits: RequestLimits) -> None:
        nonlocal let_in
        for _ in range(300):
            with suppress(RequestsLimited):
                await left_after(limits, alice)
                let_in += 1

    await asyncio.gather(*(knock(limits) for limits in processes))

    assert let_in == 700
    assert await alice.events() == [REQUESTS_LIMITED.id]


async def left_after(limits: RequestLimits, person: Person) -> int:
    """What the answer to one more request says is left."""
    with enter(WorkContext("api", "r", "r")) as work:
        await limits.count(person.actor, None)
    return int(work.answer_headers["ratelimit"].partition("r=")[2].partition(";")[0])


async def test_limits_can_be_switched_off(platform: Platform, alice: Person):
    settings = QuotasSettings(rate_limit_user=1, enable_api_rate_limiting=False)
    limits = RequestLimits(platform.db, settings, LocalCounter())

    with enter(WorkContext("api", "r", "r")) as work:
        for _ in range(3):
            await limits.count(alice.actor, None)

    assert work.answer_headers == {}


COUNTERS: list[Callable[[Any], Counter]] = [RedisCounter, lambda _: LocalCounter()]


@pytest.mark.parametrize("make", COUNTERS, ids=["redis", "local"])
async def test_a_counter_counts_in_windows_that_begin_with_the_first(
    platform: Platform, make: Callable[[Any], Counter]
):
    counter = make(platform.process.redis)
    one, other = f"{{a}}:{new_id()}", f"{{a}}:{new_id()}"

    first = await counter.hit([one, other], 0.3)
    second = await counter.hit([one], 0.3)
    for _ in range(100):
        again = await counter.hit([other], 0.3)
        if again[0].count == 1:
            break
        await asyncio.sleep(0.05)

    assert [counted.count for counted in first] == [1, 1]
    assert second[0].count == 2
    assert 0 < second[0].seconds <= 0.3
    assert again[0].count == 1


async def test_many_at_once_are_counted_exactly(platform: Platform):
    counter = RedisCounter(platform.process.redis)
    key = f"{{a}}:{new_id()}"

    found = await asyncio.gather(*(counter.hit([key], 60) for _ in range(50)))

    assert sorted(one[0].count for one in found) == list(range(1, 51))


async def test_a_redis_that_is_away_says_so():
    with pytest.raises((RedisError, OSError)):
        await RedisCounter(redis_client("unix:///nowhere.sock")).hit(["a"], 60)
