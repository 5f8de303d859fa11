"""Which of the registered agents can be asked right now, and where."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft import runtime
from promptcraft.kernel.actor import Actor
from promptcraft.orchestrator.service.planning import Endpoints
from promptcraft.registry import Server, ServerStatus
from promptcraft.runtime import Environment


async def running_endpoints(session: AsyncSession, actor: Actor, servers: Sequence[Server]) -> Endpoints:
    """The socket of each running agent, by name and environment.

    Of one that the platform runs, the runtime knows whether it is healthy, and where it is since its last start; of
    another, what the registry says is all there is.
    """
    registered = [server for server in servers if server.status is ServerStatus.RUNNING]
    run_here = any(server.instance_id for server in registered)
    sockets = await runtime.healthy_sockets(session, actor) if run_here else {}
    found: dict[tuple[str, Environment], str] = {}
    for server in registered:
        endpoint = server.endpoint if server.instance_id is None else sockets.get(server.instance_id)
        if endpoint is not None:
            found[server.name, server.environment] = endpoint
    return found
