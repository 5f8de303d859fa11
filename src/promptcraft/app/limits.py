"""Where requests are counted: as soon as it is known whose they are, and before anything is done for them."""

from collections.abc import Awaitable, Callable

from fastapi import Depends, Request

from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import door_of
from promptcraft.kernel.context import current
from promptcraft.kernel.errors import Unauthenticated
from promptcraft.quotas import RequestLimits

Authenticate = Callable[[Request], Awaitable[Actor]]


def within_limits(authenticate: Authenticate, limits: RequestLimits) -> Authenticate:
    """Authenticate, and count the request as its caller's; as its address's where that is all there is."""

    async def authenticated(request: Request) -> Actor:
        try:
            actor = await authenticate(request)
        except Unauthenticated:
            await limits.count_stranger(current().client_address)
            raise
        token = request.headers.get("authorization", "").partition(" ")[2].strip()
        await limits.count(actor, token if actor.session_id is None else None)
        return actor

    return authenticated


async def _public(request: Request) -> None:
    door = door_of(request.scope["route"].dependant)
    if door is not None and door.permission is None:
        limits: RequestLimits = request.app.state.limits
        await limits.count_stranger(current().client_address)


# For the routers of contexts; the platform's own (health, metrics) answer whoever asks.
public_within_limits = Depends(_public)
