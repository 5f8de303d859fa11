"""REQUIRE_MFA keeps everybody from everything but setting a second factor up, and so locks nobody out."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from promptcraft.kernel import clock
from tests.conftest import Arrives
from tests.identity.test_second_factor import FACTOR, enrolled, sign_in

ANYTHING = ("/api/v4/admin/users", "/api/v4/admin/agents", "/api/v4/api-keys", "/api/v4/executions")


@pytest.fixture(scope="module")
def settings_given() -> dict[str, str]:
    return {"REQUIRE_MFA": "true"}


async def test_a_session_without_one_may_set_one_up_and_then_all_it_may(person: Arrives, nobody: httpx.AsyncClient):
    somebody = await person("admin")
    assert (await sign_in(nobody, somebody)).json()["second_factor_owed"] is True
    assert [(await somebody.get(path)).status_code for path in ANYTHING] == [403] * 4
    assert (await somebody.get("/api/v4/me")).json()["data"]["permissions"] == [
        "profile:read", "second_factor:manage", "session:end",
    ]  # fmt: skip

    authenticator, _ = await enrolled(somebody)

    async with asyncio.timeout(10):
        while (await somebody.get(ANYTHING[0])).status_code != 200:  # noqa: ASYNC110 - heard of a moment later
            await asyncio.sleep(0.02)
    assert [(await somebody.get(path)).status_code for path in ANYTHING] == [200] * 4
    with clock.use(lambda: datetime.now(UTC) + timedelta(seconds=30)):
        again = (await sign_in(nobody, somebody, authenticator.code())).json()
    assert again["second_factor_owed"] is False
    renewed = (await nobody.post("/auth/token", json={"session": again["session"]})).json()
    assert renewed["second_factor_owed"] is False


async def test_who_removes_it_owes_it_at_the_next_login(person: Arrives, nobody: httpx.AsyncClient):
    somebody = await person("viewer")
    _, codes = await enrolled(somebody)

    assert (await somebody.post(f"{FACTOR}/remove", {"code": codes[0]})).status_code == 204

    assert (await sign_in(nobody, somebody)).json()["second_factor_owed"] is True
