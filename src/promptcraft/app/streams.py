"""Following long work, in one process: streams of what happens to it.

A stream holds no connection of the database while it waits, and is as good as the credential that it was opened with:
that is looked at again every half second.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import Envelope, authenticated, door_of
from promptcraft.kernel.errors import Forbidden, PlatformError, TooMany
from promptcraft.kernel.happenings import Followers, until_look
from promptcraft.kernel.problems import problem_answer
from promptcraft.kernel.streams import (
    HEARTBEAT,
    HEARTBEAT_SECONDS,
    MEDIA_TYPE,
    Look,
    begin_stream,
    send_part,
    sse,
    unless_hung_up,
)

_MOST_OF_USER, _MOST_OF_ORGANISATION = 20, 200
_CREDENTIAL_SECONDS = 0.5
# Milliseconds after which a browser comes again where the stream broke.
_COME_AGAIN = b"retry: 1000\n\n"


class TooManyStreams(TooMany):
    code = "too_many_streams"
    title = "Too many streams are open"
    next_step = "Close one of them, or ask for the status now and then instead."


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

    async def follow(self, request: Request, work: UUID, look: Look, after: int) -> Response:
        """The happenings of this work after that id, as they come, until it has ended. Raises what `look` raises.

        Where that is known already, and there is nothing more to come, 204 keeps browsers from asking again.
        """
        now = await look()
        if now.ended and now.id <= after:
            return Response(status_code=204)
        return _Following(request, self, work, look, after)


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
            await _still_allowed(self._request)
            if time.monotonic() > self._beat + HEARTBEAT_SECONDS:
                self._beat = time.monotonic()
                await send_part(send, HEARTBEAT)


async def _still_allowed(request: Request) -> None:
    """Raises Unauthenticated or Forbidden once the credential of a request is over or may no longer do this."""
    actor: Actor = await request.app.state.authenticate(request)
    door = door_of(request.scope["route"].dependant)
    if door is not None and door.permission is not None and not actor.may(door.permission):
        raise Forbidden(f"This needs the permission {door.permission}.")
