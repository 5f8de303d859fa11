"""The composition: which context gives which routes, jobs and consumers, and what each is given to work with."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI

from promptcraft import analytics
from promptcraft.agents import Factory, Limits, Places, Supplies
from promptcraft.agents.routes import router as agents_router
from promptcraft.analytics.routes import router as analytics_router
from promptcraft.app.engines import driver_of
from promptcraft.app.limits import within_limits
from promptcraft.app.process import Process
from promptcraft.app.streams import Streams
from promptcraft.audit.routes import router as audit_router
from promptcraft.compliance import Departures
from promptcraft.compliance.routes import router as compliance_router
from promptcraft.gateway import Gateway, open_gateway
from promptcraft.gateway.routes import router as gateway_router
from promptcraft.identity import Identity, open_identity
from promptcraft.identity.routes import authenticate_request
from promptcraft.identity.routes import router as identity_router
from promptcraft.kernel.happenings import Followers
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.orchestrator import Zen
from promptcraft.orchestrator.routes import router as orchestrator_router
from promptcraft.quotas import open_limits
from promptcraft.registry import SocketUpstream
from promptcraft.runtime import isolation_report


def routers() -> list[APIRouter]:
    """Every context's routes."""
    return [
        identity_router,
        agents_router,
        orchestrator_router,
        gateway_router,
        analytics_router,
        audit_router,
        compliance_router,
    ]


@dataclass(frozen=True, slots=True)
class Parts:
    """What one process works with."""

    process: Process
    identity: Identity
    zen: Zen
    factory: Factory
    gateway: Gateway
    streams: Streams
    departures: Departures

    @classmethod
    def make(cls, process: Process) -> "Parts":
        """Bind every context's work to this process's connections."""
        settings = process.settings
        identity = open_identity(
            process.db, process.redis, settings.identity, issuer=settings.app.address, master_key=process.master_key
        )
        gateway = open_gateway(process.db, settings.gateway, master_key=process.master_key)
        followers = Followers(process.redis)
        zen = Zen(SocketUpstream(), gateway, followers)
        factory = _factory(process, zen)
        return cls(process, identity, zen, factory, gateway, Streams(followers), Departures(process.db, factory))

    async def start(self) -> None:
        """Make sure of what must be there before the first request or job."""
        await keep_partitions(self.process.db)

    async def close(self) -> None:
        await self.zen.upstream.close()
        await self.factory.commands.close()
        await self.gateway.close()

    def install(self, app: FastAPI) -> None:
        """Put within reach of the routes what they ask the application's state for."""
        app.state.db = self.process.db
        app.state.redis = self.process.redis
        app.state.limits = open_limits(self.process.db, self.process.redis, self.process.settings.quotas)
        app.state.authenticate = within_limits(authenticate_request, app.state.limits)
        app.state.identity = self.identity
        app.state.zen = self.zen
        app.state.factory = self.factory
        app.state.gateway = self.gateway
        app.state.streams = self.streams
        app.state.departures = self.departures
        prices = self.process.settings.runtime
        app.state.prices = analytics.Prices(prices.price_cpu_second, prices.price_gib_second)
        app.state.isolation = self.isolation

    async def isolation(self) -> list[dict[str, Any]]:
        """What each host's living runtime found about its isolation."""
        return [report.model_dump(mode="json") for report in await isolation_report(self.process.db)]


def _factory(process: Process, zen: Zen) -> Factory:
    settings = process.settings
    return Factory(
        db=process.db,
        places=Places(settings.core.data_dir.absolute()),
        supplies=Supplies.of_installation(),
        commands=driver_of(settings, commands_only=True),
        upstream=zen.upstream,
        git_author=settings.agents.git_author,
        knowledge_roots=settings.agents.knowledge_roots,
        limits=Limits(settings.runtime.mcp_resource_limits_memory, settings.runtime.mcp_resource_limits_cpu),
    )
