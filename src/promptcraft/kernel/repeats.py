"""Routes whose requests may be sent twice and are done once: the header, the claim, the answer that is given again."""

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from promptcraft.kernel import idempotency
from promptcraft.kernel.api import Session, authenticated, door_of
from promptcraft.kernel.idempotency import Answer, Once

REPLAYED = "Idempotent-Replayed"
_KEY = Header(
    alias="Idempotency-Key",
    min_length=1,
    max_length=255,
    pattern="^[ -~]+$",
    description="Any text of your own, new for each thing that you want: the same request with the same key is done "
    "once, and answered as the first time for 24 hours",
    examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
)


class _Replay(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


async def _once(request: Request, key: Annotated[str | None, _KEY] = None) -> Once | None:
    if key is None:
        return None
    actor = await authenticated(request)
    key = key.removeprefix('"').removesuffix('"')  # the draft quotes it
    whose = f"{actor.org_id}\n{actor.user_id}\n{key}"
    what = f"{request.method} {request.url.path}?{request.url.query}\n{request.headers.get('content-type')}\n"
    once = Once(sha256(whose.encode()).digest(), sha256(what.encode() + await request.body()).digest())
    request.state.once = once
    return once


# For services that open their own transactions: they claim the key in the one of their intent.
GivenOnce = Annotated[Once | None, Depends(_once)]


async def _first(request: Request, session: Session, once: GivenOnce) -> None:
    if once is None:
        return
    door = door_of(request.scope["route"].dependant)
    if door is not None:
        await door(request)  # who may not do it any more is not told either what it came to
    actor = await authenticated(request)
    answer = await idempotency.claim(session, actor, once)
    if answer is not None:
        raise _Replay(answer)
    request.state.claimed_in = session


# For routes that work in the request's own session.
done_once = Depends(_first)


class RepeatableRoute(APIRoute):
    """A route that keeps what it answers in the transaction of its change, and gives it again to the same request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except _Replay as replay:
                return _again(replay.answer)
            once: Once | None = getattr(request.state, "once", None)
            if once is not None and once.replayed:
                response.headers[REPLAYED] = "true"
            if once is not None and hasattr(request.state, "claimed_in"):
                answer = Answer(response.status_code, response.headers.get("location"), bytes(response.body).decode())
                await idempotency.keep(request.state.claimed_in, request.state.actor, once, answer)
            return response

        return handle


def _again(answer: Answer) -> Response:
    headers = {REPLAYED: "true"} | ({"Location": answer.location} if answer.location else {})
    return Response(answer.body, answer.status, headers, "application/json")
