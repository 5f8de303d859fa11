"""What was revoked in one process is refused by every other, whichever servers can be reached; else nobody gets in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from promptcraft.app.up.servers import EmbeddedServers, Urls
from promptcraft.identity import Identity, authenticate, open_identity
from promptcraft.kernel.db import Database
from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.wakeups import redis_client
from tests.conftest import Platform
from tests.lines import Lines, lines_to
from tests.people import PASSWORD, Person


@dataclass
class Elsewhere:
    """Another API process, which reaches the servers by lines of its own."""

    identity: Identity
    lines: Lines

    async def told(self, credential: str) -> str:
        """The name of whoever comes by this credential, or the code of the refusal."""
        try:
            return (await authenticate(self.identity, f"Bearer {credential}")).name
        except PlatformError as refusal:
            return refusal.code


@pytest.fixture
async def elsewhere(servers: EmbeddedServers, urls: Urls, platform: Platform) -> AsyncIterator[Elsewhere]:
    async with lines_to(servers, urls) as lines, _process(platform, lines) as identity:
        yield Elsewhere(identity, lines)


@asynccontextmanager
async def _process(platform: Platform, lines: Lines) -> AsyncIterator[Identity]:
    process = platform.process
    db, redis = Database.connect(lines.urls.app, lines.urls.system), redis_client(lines.urls.redis)
    settings = process.settings
    identity = open_identity(db, redis, settings.identity, issuer=settings.app.address, master_key=process.master_key)
    identity.start()
    yield identity
    await identity.close()
    await redis.aclose()
    await db.dispose()


async def becomes(expected: str, ask: Callable[[], Awaitable[str]]) -> None:
    async with asyncio.timeout(30):
        while (told := await ask()) != expected:  # noqa: ASYNC110 - what another process hears sets no event here
            await asyncio.sleep(0.05)
    assert told == expected


async def credentials_of(somebody: Person, nobody: httpx.AsyncClient) -> dict[str, tuple[str, str]]:
    """One credential of each kind, and the path that revokes it."""
    tokens = (await nobody.post("/auth/token", json={"username": somebody.name, "password": PASSWORD})).json()
    key = (await somebody.post("/api/v4/api-keys", {"name": "x"})).json()["data"]
    sessions = (await somebody.get("/api/v4/sessions")).json()["data"]
    session = next(each["id"] for each in sessions if not each["current"])
    return {
        "session": (tokens["access_token"], f"/api/v4/sessions/{session}"),
        "api key": (key["key"], f"/api/v4/api-keys/{key['id']}"),
    }


@pytest.mark.parametrize("away", ["nothing", "redis"])
@pytest.mark.parametrize("kind", ["session", "api key"])
async def test_what_is_revoked_here_is_refused_elsewhere(
    alice: Person, nobody: httpx.AsyncClient, elsewhere: Elsewhere, kind: str, away: str
):
    if away == "redis":
        await elsewhere.lines.redis.cut()
    credential, path = (await credentials_of(alice, nobody))[kind]
    assert await elsewhere.told(credential) == alice.name

    assert (await alice.delete(path)).status_code == 204

    refusal = "session_over" if kind == "session" else "api_key_refused"
    await becomes(refusal, lambda: elsewhere.told(credential))


async def test_an_access_token_alone_is_refused_elsewhere(
    alice: Person, nobody: httpx.AsyncClient, elsewhere: Elsewhere
):
    token, _ = (await credentials_of(alice, nobody))["session"]
    assert await elsewhere.told(token) == alice.name

    await nobody.post("/auth/revoke", json={"token": token})

    await becomes("session_over", lambda: elsewhere.told(token))


async def test_without_the_database_those_who_are_known_go_on_and_what_is_revoked_is_still_heard_of(
    alice: Person, nobody: httpx.AsyncClient, elsewhere: Elsewhere
):
    kept, lost = [(await credentials_of(alice, nobody))["session"] for _ in range(2)]
    assert [await elsewhere.told(each) for each, _ in (kept, lost)] == [alice.name] * 2
    await elsewhere.lines.database.cut()

    assert (await alice.delete(lost[1])).status_code == 204

    await becomes("unavailable", lambda: elsewhere.told(lost[0]))
    assert await elsewhere.told(kept[0]) == alice.name
    await elsewhere.lines.database.mend()
    await becomes("session_over", lambda: elsewhere.told(lost[0]))


async def test_with_both_servers_away_nobody_gets_in_until_one_is_back(
    alice: Person, nobody: httpx.AsyncClient, elsewhere: Elsewhere
):
    token, _ = (await credentials_of(alice, nobody))["session"]
    assert await elsewhere.told(token) == alice.name
    await elsewhere.lines.database.cut()
    await elsewhere.lines.redis.cut()

    await becomes("unavailable", lambda: elsewhere.told(token))
    await elsewhere.lines.database.mend()
    await becomes(alice.name, lambda: elsewhere.told(token))
