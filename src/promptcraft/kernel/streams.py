"""Answers that come in parts, as server-sent events (WHATWG HTML, "Server-sent events").

A stream holds no connection of the database while it waits, and is as good as the credential that it was opened with:
that is looked at again every half second.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from starlette.types import Message, Receive, Scope, Send

from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import Envelope, authenticated, door_of
from promptcraft.kernel.errors import Forbidden, PlatformError, TooMany
from promptcraft.kernel.happenings import Followers, Happening, until_look
from promptcraft.kernel.problems import problem_answer

MEDIA_TYPE = "text/event-stream"
STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"),
                  (b"x-accel-buffering", b"no")]  # fmt: skip
# For the description of a route that answers with a stream, beside its `response_class=Response`.
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`progress` events, then one `end`; the data of each is what the status route answers",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    },
    204: {"description": "There is nothing after the `Last-Event-ID`, and nothing more to come"},
}
_MOST_OF_USER, _MOST_OF_ORGANISATION = 20, 200
_CREDENTIAL_SECONDS = 0.5
_HEARTBEAT_SECONDS = 10.0
_HEARTBEAT = b": still here\n\n"
# Milliseconds after which a browser comes again where the stream broke.
_COME_AGAIN = b"retry: 1000\n\n"

Look = Callable[[], Awaitable[Happening]]


class TooManyStreams(TooMany):
    code = "too_many_streams"
    title = "Too many streams are open"
    next_step = "Close one of them, or ask for the status now and then instead."


def sse(name: str, data: bytes, identifier: int | None = None) -> bytes:
    """One event; `data` is JSON, which has no line breaks."""
    head = b"" if identifier is None else b"id: %d\n" % identifier
    return head + b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


class Streams:
    """The streams of one process, of which each user and each organisation may have so many."""

    def __init__(self, followers: Followers) -> None:
        self.followers = followers
        self.closing = False
        self._open: Counter[UUID | None] = Counter()

    def close(self) -> None:
        """Have every stream end soon, without its end: who follows goes on at another process."""
        self.closing = True

    @contextmanager
    def one_more(self, actor: Actor) -> Generator[None]:
        """Raises TooManyStreams."""
        bounds = {actor.org_id: _MOST_OF_ORGANISATION, actor.user_id: _MOST_OF_USER}
        if any(self._open[whose] >= most for whose, most in bounds.items()):
            raise TooManyStreams(
                f"{_MOST_OF_USER} of a user and {_MOST_OF_ORGANISATION} of an organisation may be open here at once."
            )
        self._open.update(bounds.keys())
        try:
            yield
        finally:
            self._open.subtract(bounds.keys())
            self._open += Counter()


async def _streams(request: Request) -> Streams:
    return request.app.state.streams


OwnStreams = Annotated[Streams, Depends(_streams)]
LastEventId = Annotated[
    int,
    Header(alias="Last-Event-ID", ge=0, lt=2**31, description="Where an earlier stream broke off: its last event's id"),
]


async def follow(request: Request, streams: Streams, work: UUID, look: Look, after: int) -> Response:
    """The happenings of this work after that id, as they come, until it has ended. Raises what `look` raises.

    Where that is known already, and there is nothing more to come, 204 keeps browsers from asking again.
    """
    now = await look()
    if now.ended and now.id <= after:
        return Response(status_code=204)
    return _Following(request, streams, work, look, after)


class _Following(Response):
    """A stream of happenings. What ends it early is its last event, `problem`; a caller who hangs up ends it, too."""

    media_type = MEDIA_TYPE

    def __init__(self, request: Request, streams: Streams, work: UUID, look: Look, after: int) -> None:
        super().__init__()
        self._request = request
        self._streams = streams
        self._work = work
        self._look = look
        self._after = after
        self._begun = False
        self._beat = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._streams.one_more(await authenticated(self._request)):
                await unless_hung_up(self._follow(send), receive)
        except PlatformError as error:
            answer = await problem_answer(self._request, error)
            if not self._begun:
                await answer(scope, receive, send)
                return
            await send_part(send, sse("problem", bytes(answer.body)))
        if self._begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, send: Send) -> None:
        await begin_stream(send)
        self._begun, self._beat = True, time.monotonic()
        await send_part(send, _COME_AGAIN)
        followers, told = self._streams.followers, self._after
        with followers.hearing(self._work) as changed:
            while not self._streams.closing:
                changed.clear()
                now = await self._look()
                if now.id > told:
                    told = now.id
                    data = Envelope(data=now.body).model_dump_json().encode()
                    await send_part(send, sse("end" if now.ended else "progress", data, now.id))
                if now.ended:
                    return
                await self._wait(changed, followers.look_seconds, send)

    async def _wait(self, changed: asyncio.Event, seconds: float, send: Send) -> None:
        until = time.monotonic() + seconds
        while not changed.is_set() and not self._streams.closing and (rest := until - time.monotonic()) > 0:
            await until_look(changed, min(rest, _CREDENTIAL_SECONDS))
            await still_allowed(self._request)
            if time.monotonic() > self._beat + _HEARTBEAT_SECONDS:
                self._beat = time.monotonic()
                await send_part(send, _HEARTBEAT)


async def still_allowed(request: Request) -> None:
    """Raises Unauthenticated or Forbidden once the credential of a request is over or may no longer do this."""
    actor: Actor = await request.app.state.authenticate(request)
    door = door_of(request.scope["route"].dependant)
    if door is not None and door.permission is not None and not actor.may(door.permission):
        raise Forbidden(f"This needs the permission {door.permission}.")


async def unless_hung_up(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do the work; where the caller hangs up first, end it and return once it has."""
    working = asyncio.create_task(work)
    hanging_up = asyncio.create_task(hung_up(receive))
    try:
        await asyncio.wait({working, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        hanging_up.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError, PlatformError):
            await working


async def hung_up(receive: Receive) -> None:
    """Returns once the caller has; nothing else may read the request meanwhile."""
    message: Message = {}
    while message.get("type") != "http.disconnect":
        message = await receive()


def wants_stream(request: Request) -> bool:
    """Whether the caller would rather have server-sent events than JSON."""
    wanted = [kind.partition(";")[0].strip().lower() for kind in request.headers.get("accept", "").split(",")]
    return MEDIA_TYPE in wanted and "application/json" not in wanted[: wanted.index(MEDIA_TYPE)]


@asynccontextmanager
async def heartbeats(send: Send) -> AsyncGenerator[asyncio.Event]:
    """Lets the caller, and who stands between, know every ten seconds that there is more to come, once that is set."""
    begun = asyncio.Event()

    async def beat() -> None:
        await begun.wait()
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            await send_part(send, _HEARTBEAT)

    beating = asyncio.create_task(beat())
    try:
        yield begun
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def begin_stream(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(STREAM_HEADERS)})


async def send_part(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})
