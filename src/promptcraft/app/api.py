"""The HTTP API: every context's routes in one application."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from promptcraft.app import health
from promptcraft.app.openapi import DescribedApi
from promptcraft.app.parts import Parts, routers
from promptcraft.app.process import Process
from promptcraft.kernel.context import platform_version
from promptcraft.kernel.problems import install_problem_handlers


def make_app(process: Process) -> FastAPI:
    """The application of one process; its connections are closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        await parts.start()
        parts.identity.start()
        parts.streams.followers.start()
        yield
        await parts.streams.followers.close()
        await parts.identity.close()
        await parts.close()

    app = DescribedApi(
        title="PromptCraft-Hybrid",
        summary="The control plane for an organisation's AI agents",
        version=platform_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v4/openapi.json",
        lifespan=lifespan,
    )
    parts = Parts.make(process)
    app.state.parts = parts
    parts.install(app)
    for router in (health.router, *routers()):
        app.include_router(router)
    install_problem_handlers(app)
    return app
