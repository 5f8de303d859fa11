"""The outermost layer of the API: who really calls, what browsers may do with an answer, how deep a body may be."""

import re
from collections.abc import Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from promptcraft.gateway.routes import DirectChat
from promptcraft.kernel.asgi import RequestContext
from promptcraft.kernel.errors import BadRequest

_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}
# What a route says of these itself stands.
_UNLESS_SAID = {
    b"content-security-policy": b"frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
_HTTPS_FROM_NOW_ON = (b"strict-transport-security", b"max-age=31536000")
_DEEPEST = 64
_MARK = re.compile(rb'[\[\]{}"\\]')


def at_the_edge(app: FastAPI, trusted_proxies: Sequence[str] = ()) -> ASGIApp:
    """The application as a server runs it. Forwarded addresses are believed of the trusted proxies alone."""
    guarded: ASGIApp = _Edge(RequestContext(DirectChat(app)))
    if not trusted_proxies:
        return guarded
    # It takes the rightmost address that is not a trusted proxy's, so what a caller writes there is never believed.
    forwarded: ASGIApp = ProxyHeadersMiddleware(guarded, list(trusted_proxies))  # pyright: ignore[reportArgumentType, reportAssignmentType]  # uvicorn has types of its own for ASGI
    return forwarded


class _Edge:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                added = [*_ALWAYS.items(), *((name, text) for name, text in _UNLESS_SAID.items() if name not in said)]
                if scope["scheme"] == "https":
                    added.append(_HTTPS_FROM_NOW_ON)
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, _shallow(receive) if _may_be_json(scope) else receive, answering)


def _may_be_json(scope: Scope) -> bool:
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), None)
    return kind is None or b"json" in kind.lower()


def _shallow(receive: Receive) -> Receive:
    """Refuses a body that is nested so deep that whoever walks it could run out of stack."""
    depth = _Depth()
    looked = False
    is_json = True

    async def receiving() -> Message:
        nonlocal looked, is_json
        message = await receive()
        part = message.get("body", b"")
        if part and not looked:
            # An archive without a type is none, whatever brackets it has.
            looked, is_json = True, part.lstrip()[:1] in (b"[", b"{")
        if is_json and depth.after(part) > _DEEPEST:
            raise BadRequest(f"The body is nested more than {_DEEPEST} deep.")
        return message

    return receiving


class _Depth:
    """How deep the brackets of a JSON text are nested at most, as far as it has come."""

    def __init__(self) -> None:
        self._depth = self._deepest = 0
        self._quoted = self._escaped = False

    def after(self, part: bytes) -> int:
        """The greatest depth so far, with this part."""
        place = int(self._escaped)
        self._escaped = False
        while (mark := _MARK.search(part, place)) is not None:
            place = mark.end()
            self._take(mark[0])
            if self._escaped:
                self._escaped = place == len(part)
                place += 1
        return self._deepest

    def _take(self, mark: bytes) -> None:
        if mark == b'"':
            self._quoted = not self._quoted
        elif self._quoted:
            self._escaped = mark == b"\\"
        elif mark in b"[{":
            self._depth += 1
            self._deepest = max(self._deepest, self._depth)
        elif mark in b"]}":
            self._depth -= 1
