"""Real MCP servers on UNIX sockets, for tests of what calls them."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer

ASGI = Callable[[Any, Any, Any], Awaitable[None]]


@asynccontextmanager
async def short_directory() -> AsyncIterator[Path]:
    """For sockets, whose paths may have 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="pc-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def serving(app: ASGI, socket: Path) -> AsyncIterator[str]:
    """An ASGI application on this socket until the block ends; what it still does then is cut off."""
    config = uvicorn.Config(app, uds=str(socket), log_config=None, lifespan="auto", timeout_graceful_shutdown=0)
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    await server.up.wait()
    try:
        yield str(socket)
    finally:
        server.should_exit = True
        await running


def app_of(server: MCPServer) -> ASGI:
    """The server as the generated agents serve theirs."""
    return server.streamable_http_app(stateless_http=True, json_response=False)
