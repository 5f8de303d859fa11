"""Chat completions on the shortest way to their first token.

The endpoint, its door and its problem documents are those of the route; what is left out is what the framework does
between them, which took longer than asking the provider.
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from promptcraft.gateway.routes.answers import told
from promptcraft.gateway.routes.proxy import CHAT, caller_of, chat_completions
from promptcraft.kernel.api import door_of
from promptcraft.kernel.errors import PlatformError


class DirectChat:
    """An application in which chat completions go directly to their endpoint, and everything else as before."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        # The framework's types for routes and handlers are private or too narrow.
        contexts: Any = iter_route_contexts(app.routes)
        self._route: Any = next(one.original_route for one in contexts if one.path == CHAT)
        self._door: Any = door_of(self._route.dependant)
        handlers: Any = {kind: handler for kind, handler in app.exception_handlers.items() if kind is not Exception}
        guarded = ExceptionMiddleware(self._answer, handlers)
        self._guarded: ASGIApp = ServerErrorMiddleware(guarded, app.exception_handlers[Exception])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != CHAT:
            await self._app(scope, receive, send)
            return
        scope.update(app=self._app, route=self._route, endpoint=chat_completions, path_params={})
        await self._guarded(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            actor = await self._door(request)
            response = await chat_completions(request, request.app.state.gateway, actor, await caller_of(request))
        except PlatformError as error:
            response = await told(request, error)
        await response(scope, receive, send)
