"""What every answer says to browsers, whom a forwarded address is believed of, and how deep a body may be."""

from typing import Any

import httpx
import pytest

from promptcraft.kernel.problems import MEDIA_TYPE
from tests.conftest import Platform
from tests.people import Person

PROXY = "10.0.0.7"
LIVE = "/health/live"


@pytest.fixture(scope="module")
def settings_given() -> dict[str, str]:
    return {"PROMPTCRAFT_TRUSTED_PROXIES": "10.0.0.0/8", "PROMPTCRAFT_RATE_LIMIT_ADDRESS": "3"}


def peer(platform: Platform, address: str, scheme: str = "http") -> httpx.AsyncClient:
    """Somebody whose connection comes from this address."""
    transport: Any = httpx.ASGITransport(platform.asgi, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://promptcraft.test")


@pytest.mark.parametrize("path", [LIVE, "/nowhere", "/api/v4/me", "/api/v4/admin/users"])
async def test_every_answer_tells_browsers_to_be_careful(alice: Person, path: str):
    answer = await alice.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers


async def test_what_a_route_says_about_keeping_its_answer_stands(nobody: httpx.AsyncClient):
    answer = await nobody.get("/.well-known/jwks.json")

    assert answer.headers.get_list("cache-control") == ["public, max-age=300"]


async def test_who_came_by_https_is_told_to_stay_there(platform: Platform):
    direct = await peer(platform, "192.0.2.1", "https").get(LIVE)
    forwarded = await peer(platform, PROXY).get(LIVE, headers={"X-Forwarded-Proto": "https"})
    pretended = await peer(platform, "192.0.2.1").get(LIVE, headers={"X-Forwarded-Proto": "https"})

    assert direct.headers["strict-transport-security"] == "max-age=31536000"
    assert forwarded.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in pretended.headers


async def test_pages_of_other_origins_may_read_nothing(alice: Person):
    headers = {"Origin": "https://elsewhere.example"}
    answer = await alice.client.get("/api/v4/me", headers=headers)
    asked = await alice.client.options("/api/v4/me", headers={**headers, "Access-Control-Request-Method": "GET"})

    assert not [name for name in (*answer.headers, *asked.headers) if name.startswith("access-control-")]
    assert asked.status_code == 405


async def test_a_method_that_a_path_does_not_know_is_told_all_that_it_knows(alice: Person):
    answer = await alice.client.options("/api/v4/admin/models/providers/ours")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "DELETE, GET, PATCH"


async def refused_after(platform: Platform, address: str, *forwarded: str) -> list[int]:
    client = peer(platform, address)
    return [(await client.get("/api/v4/me", headers={"X-Forwarded-For": one})).status_code for one in forwarded]


async def test_the_rightmost_address_that_is_no_proxy_counts(platform: Platform):
    await platform.process.redis.flushdb()
    same = [f"198.51.100.{number}, 203.0.113.5, 10.1.1.1" for number in range(4)]

    assert await refused_after(platform, PROXY, *same) == [401, 401, 401, 429]
    assert await refused_after(platform, PROXY, "203.0.113.6") == [401]


async def test_whoever_is_no_trusted_proxy_is_not_believed(platform: Platform):
    await platform.process.redis.flushdb()
    many = [f"203.0.113.{number}" for number in range(10, 14)]

    assert await refused_after(platform, "192.0.2.9", *many) == [401, 401, 401, 429]


def nested(depth: int) -> bytes:
    return b'{"query": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize("body", [nested(64), nested(5_000), b"[" * 100_000, b'{"a":' * 65], ids=len)
async def test_a_body_nested_too_deep_is_refused(alice: Person, body: bytes):
    answer = await alice.client.post("/api/v4/execute", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.headers["content-type"]) == (400, MEDIA_TYPE)
    assert answer.json()["detail"] == "The body is nested more than 64 deep."


async def test_brackets_in_a_text_are_no_nesting(alice: Person):
    query = '\\"[{' * 100
    answer = await alice.post("/api/v4/execute", {"query": query, "agent": "nobody_here"})

    assert (answer.status_code, answer.json()["code"]) == (404, "agent_not_found")
    assert (await alice.client.post("/api/v4/execute", content=nested(63))).status_code == 422
