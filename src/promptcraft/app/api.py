"""The HTTP API: every context's routes in one application."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from promptcraft.app import health
from promptcraft.app.limits import public_within_limits
from promptcraft.app.openapi import DescribedApi, named_as_the_function
from promptcraft.app.parts import Parts, routers
from promptcraft.app.process import Process
from promptcraft.kernel.context import platform_version
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.problems import install_problem_handlers
from promptcraft.kernel.tasks import end
from promptcraft.kernel.telemetry import get_logger

_log = get_logger(__name__)
_DATABASE_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 1.0


def make_app(process: Process) -> FastAPI:
    """The application of one process; its connections are closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        starting = asyncio.create_task(_start(parts))
        # A process that starts while the database is away serves what needs none, and the rest once it is back.
        await asyncio.wait({starting}, timeout=_DATABASE_SECONDS)
        if starting.done():
            starting.result()
        parts.identity.start()
        parts.streams.followers.start()
        yield
        await parts.streams.followers.close()
        await end(starting)
        await parts.identity.close()
        await parts.close()

    app = DescribedApi(
        title="PromptCraft-Hybrid",
        summary="The control plane for an organisation's AI agents",
        version=platform_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v4/openapi.json",
        generate_unique_id_function=named_as_the_function,
        lifespan=lifespan,
    )
    parts = Parts.make(process)
    app.state.parts = parts
    parts.install(app)
    app.include_router(health.router)
    for router in routers():
        app.include_router(router, dependencies=[public_within_limits])
    install_problem_handlers(app)
    return app


async def _start(parts: Parts) -> None:
    while True:
        try:
            return await parts.start()
        except Unavailable as problem:
            _log.warning("waiting for the database", extra={"error": problem.detail})
            await asyncio.sleep(_ASK_AGAIN_SECONDS)
