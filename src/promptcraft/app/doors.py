"""The sockets by which agents reach the platform: one each, served by the process that runs them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from promptcraft.app.process import Process
from promptcraft.gateway import Gateway
from promptcraft.gateway.routes import AgentDoor, DirectChat, authenticate_agent, proxy
from promptcraft.kernel.asgi import RequestContext
from promptcraft.kernel.problems import install_problem_handlers
from promptcraft.runtime import Wanted

# What an agent finds in its directory of sockets.
MODELS = "models"
_CLOSE_SECONDS = 1


def agents_asgi(process: Process, gateway: Gateway) -> ASGIApp:
    """What agents may ask of the platform, whichever socket they come by."""
    app = FastAPI(openapi_url=None)
    app.state.db = process.db
    app.state.gateway = gateway
    app.state.authenticate = authenticate_agent
    app.include_router(proxy)
    install_problem_handlers(app)
    return RequestContext(DirectChat(app))


@dataclass(frozen=True, slots=True)
class ModelDoors:
    """Serves an application on one socket for each agent, in `directory`."""

    app: ASGIApp
    directory: Path

    @asynccontextmanager
    async def open(self, wanted: Wanted) -> AsyncGenerator[Mapping[str, Path]]:
        """Listen for this agent alone while the block runs."""
        path = self.directory / f"{wanted.id}.{MODELS}"
        server = await _listening(path, self._of(AgentDoor(wanted.org_id, wanted.name)))
        try:
            yield {MODELS: path}
        finally:
            await server.shutdown()
            await asyncio.to_thread(path.unlink, missing_ok=True)

    def _of(self, door: AgentDoor) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.app({**scope, "state": {"door": door}}, receive, send)

        return app


async def _listening(path: Path, app: ASGIApp) -> uvicorn.Server:
    """A server inside this process's loop, which handles no signals of its own."""
    await asyncio.to_thread(path.unlink, missing_ok=True)
    config = uvicorn.Config(
        app,
        uds=str(path),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # It would be set by the main loop of a server of its own.
        date_header=False,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    return server
