"""Which of the registered agents can be asked right now, and where."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.actor import Actor
from promptcraft.orchestrator.service.planning import Endpoints
from promptcraft.registry import Server, ServerStatus


async def running_endpoints(session: AsyncSession, actor: Actor, servers: Iterable[Server]) -> Endpoints:
    """The socket of each running agent, by name and environment."""
    return {
        (server.name, server.environment): server.endpoint
        for server in servers
        if server.status is ServerStatus.RUNNING
    }
