"""The platform with two providers by its settings, both of them the tests' own; and clients that see streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from promptcraft.app.work import standing_jobs_of
from promptcraft.kernel import outbox
from promptcraft.kernel.db import unit_of_work
from tests.conftest import Platform
from tests.gateway.provider import FakeProvider, running
from tests.mcp_servers import serving, short_directory
from tests.people import Person

CHAT = "/api/v4/models/v1/chat/completions"
HELLO: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[FakeProvider]:
    async with running(FakeProvider()) as fake:
        yield fake


@pytest.fixture(scope="module")
def settings_given(provider: FakeProvider) -> dict[str, str]:
    return {
        "AZURE_OPENAI_ENDPOINT": provider.address,
        "AZURE_OPENAI_API_KEY": "azure-key",
        "OPENAI_BASE_URL": f"{provider.address}/other",
        "OPENAI_API_KEY": "other-key",
        "PROMPTCRAFT_MODEL_PRIVATE_NETWORKS": "127.0.0.0/8",
    }


@pytest.fixture(scope="module")
async def front(platform: Platform) -> AsyncIterator[str]:
    """The socket of the platform as a server runs it."""
    async with short_directory() as directory, serving(platform.asgi, directory / "front.sock") as socket:
        yield socket


@pytest.fixture
async def live(front: str, alice: Person) -> AsyncIterator[httpx.AsyncClient]:
    """Alice over a connection, which she can close."""
    transport = httpx.AsyncHTTPTransport(uds=front)
    headers = {"Authorization": alice.client.headers["Authorization"]}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://platform", headers=headers, timeout=20
    ) as client:
        yield client


async def calls(person: Person) -> list[dict[str, Any]]:
    """The rows of the person's model calls, in order."""
    async with unit_of_work(person.db, person.actor) as session:
        rows = await session.execute(
            text("select * from gateway.model_call where user_id = :user order by id"), {"user": person.user_id}
        )
        return [dict(row) for row in rows.mappings()]


async def taken_in(platform: Platform) -> None:
    """Facts are with analytics."""
    await standing_jobs_of(platform.parts)[outbox.RELAY].run(platform.db)


async def until(look: Callable[[], Awaitable[Any]], expected: Any, seconds: float = 10.0) -> Any:
    """What is found once it is as expected, else what was found last."""
    deadline = time.monotonic() + seconds
    found = await look()
    while found != expected and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
        found = await look()
    return found
