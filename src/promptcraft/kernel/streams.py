"""Answers that come in parts, as server-sent events (WHATWG HTML, "Server-sent events")."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from starlette.types import Message, Receive, Send

from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.happenings import Happening

MEDIA_TYPE = "text/event-stream"
STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"),
                  (b"x-accel-buffering", b"no")]  # fmt: skip
# How the description of the API shows an event of a stream.
EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["event", "data"],
}
# For the description of a route that answers with a stream, beside its `response_class=Response`.
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`progress` events, then one `end`; the data of each is what the status route answers",
        "content": {MEDIA_TYPE: {"schema": EVENT}},
    },
    204: {"description": "There is nothing after the `Last-Event-ID`, and nothing more to come"},
}
HEARTBEAT_SECONDS = 10.0
HEARTBEAT = b": still here\n\n"

Look = Callable[[], Awaitable[Happening]]


def sse(name: str, data: bytes, identifier: int | None = None) -> bytes:
    """One event; `data` is JSON, which has no line breaks."""
    head = b"" if identifier is None else b"id: %d\n" % identifier
    return head + b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


class Follows(Protocol):
    async def follow(self, request: Request, work: UUID, look: Look, after: int) -> Response:
        """The happenings of this work after that id, as they come, until it has ended. Raises what `look` raises."""
        ...


async def _streams(request: Request) -> Follows:
    return request.app.state.streams


OwnStreams = Annotated[Follows, Depends(_streams)]
LastEventId = Annotated[
    int,
    Header(alias="Last-Event-ID", ge=0, lt=2**31, description="Where an earlier stream broke off: its last event's id"),
]


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
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await send_part(send, HEARTBEAT)

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
