"""The proxy as an agent reaches it: over a socket of its own, which says who it is, with the grant of an execution."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import Request

from promptcraft.gateway.errors import GrantRefused
from promptcraft.gateway.service import Caller, Gateway
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.context import current
from promptcraft.kernel.permissions import Permission

_MAY = frozenset({Permission.MODEL_CALL})


@dataclass(frozen=True, slots=True)
class AgentDoor:
    """Whose socket a request came over; whoever serves the socket puts it into the request's state as `door`."""

    org_id: UUID
    agent: str


async def authenticate_agent(request: Request) -> Actor:
    """The agent, acting for whom the execution is. Raises GrantRefused."""
    door: AgentDoor = request.state.door
    gateway: Gateway = request.app.state.gateway
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    grant = gateway.grants.read(token.strip()) if scheme.lower() == "bearer" else None
    if grant is None or (grant.org_id, grant.agent) != (door.org_id, door.agent):
        raise GrantRefused
    request.state.caller = Caller(door.agent, grant.execution_id, grant.seconds_left)
    return Actor(door.org_id, grant.user_id, None, _MAY, current().request_id, door.agent)
