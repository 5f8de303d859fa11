"""Agents as Zen meets them: real MCP servers on UNIX sockets, registered in an organisation."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from mcp.server import MCPServer
from pydantic import BaseModel

from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.registry import ServerRegistration, SocketUpstream, register_server, unregister_server
from tests.conftest import Platform
from tests.mcp_servers import app_of, serving, short_directory


class Lines(BaseModel):
    file: str
    lines: str
    start_line: int
    end_line: int
    commit: str
    text: str


class Told(BaseModel):
    answered: bool
    answer: str
    citations: list[Lines] = []


CITED = Lines(file="vat/returns.md", lines="14-19", start_line=14, end_line=19, commit="3f2c9d1", text="On the 10th.")
Behaviour = Callable[[str, Sequence[str]], Awaitable[Any]]


async def knows(query: str, context: Sequence[str]) -> Told:
    return Told(answered=True, answer=f"About: {query}", citations=[CITED])


async def knows_not(query: str, context: Sequence[str]) -> Told:
    return Told(answered=False, answer="I do not know.")


async def breaks(query: str, context: Sequence[str]) -> Told:
    raise ValueError("no disk")


async def never_ends(query: str, context: Sequence[str]) -> Told:
    await asyncio.sleep(60)
    return await knows(query, context)


@dataclass
class Agent:
    """A running agent and what it was asked so far."""

    endpoint: str
    asked: list[tuple[str, list[str]]]
    stop: Callable[[], Awaitable[None]]


@dataclass
class Agents:
    """Starts agents, registers them, and takes them away when the test ends."""

    db: Database
    org_id: UUID
    directory: Path
    running: AsyncExitStack
    started: list[tuple[UUID, str]] = field(default_factory=list[tuple[UUID, str]])

    async def start(
        self, name: str, behaviour: Behaviour = knows, *, org_id: UUID | None = None, **described: Any
    ) -> Agent:
        asked: list[tuple[str, list[str]]] = []
        server = MCPServer(name, log_level="CRITICAL")

        async def ask(query: str, context: list[str] = []) -> Told:  # noqa: B006 - a default of the tool's schema
            asked.append((query, context))
            return await behaviour(query, context)

        server.add_tool(ask)
        serves = AsyncExitStack()
        socket = self.directory / f"{len(self.started)}.sock"
        endpoint = await serves.enter_async_context(serving(app_of(server), socket))
        self.running.push_async_callback(serves.aclose)
        await self.register(name, endpoint, org_id=org_id, **described)
        return Agent(endpoint, asked, serves.aclose)

    async def register(self, name: str, endpoint: str, *, org_id: UUID | None = None, **described: Any) -> None:
        upstream = SocketUpstream()
        try:
            tools = await upstream.list_tools(endpoint)
        finally:
            await upstream.close()
        registration = ServerRegistration.model_validate(
            {"name": name, "environment": "development", "version": "1", "endpoint": endpoint, "tools": tuple(tools)}
            | described
        )
        owner = org_id or self.org_id
        self.started.append((owner, name))
        with enter(WorkContext("worker", "start", "start")):
            async with unit_of_work(self.db, platform_actor(org_id=owner)) as session:
                await register_server(session, platform_actor(org_id=owner), registration)


@pytest.fixture
async def agents(platform: Platform) -> AsyncIterator[Agents]:
    async with short_directory() as directory, AsyncExitStack() as running:
        made = Agents(platform.db, platform.acme, directory, running)
        yield made
        for org_id, name in made.started:
            async with unit_of_work(platform.db, platform_actor(org_id=org_id)) as session:
                await unregister_server(session, platform_actor(org_id=org_id), name)
