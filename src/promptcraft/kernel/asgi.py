"""Around every request: its ids, its trace, its metrics. Plain ASGI, as each layer costs every request."""

import math
import re
import time
from contextlib import suppress
from typing import Any

from opentelemetry import propagate
from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.errors import TooLarge
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.telemetry import HTTP_REQUESTS, HTTP_SECONDS, tracer

_MOST_BYTES = 2**20
_FOREIGN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class RequestContext:
    """Opens the work's context: the request id is ours, a caller's own id is kept as correlation id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        work = _work_of(scope, headers)
        answer: dict[str, Any] = {"status": 500}

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer["status"] = message["status"]
                earned = {"x-request-id": work.request_id, **work.answer_headers}.items()
                message["headers"] = [*message["headers"], *((name.encode(), text.encode()) for name, text in earned)]
            # Whoever asked has hung up: what they asked for is done and in the log, and there is nobody to tell.
            with suppress(OSError):
                await send(message)

        parent = propagate.extract(headers)
        with enter(work), tracer().start_as_current_span("http", context=parent, kind=SpanKind.SERVER) as span:
            try:
                await self._app(scope, _bounded(scope, receive, work.request_bytes or 0), answering)
            finally:
                route = work.endpoint or "unmatched"
                span.update_name(f"{work.method} {route}")
                HTTP_REQUESTS.labels(work.method, route, answer["status"]).inc()
                HTTP_SECONDS.labels(work.method, route).observe(time.perf_counter() - work.started)


def _bounded(scope: Scope, receive: Receive, announced: int) -> Receive:
    """Bounds a body that is read whole, which happens before anybody is asked who they are.

    That is one which the route declares; a route that takes its body piece by piece sets a limit of its own.
    """
    received = 0

    async def receiving() -> Message:
        nonlocal received
        most = math.inf if getattr(scope.get("route"), "body_field", None) is None else _MOST_BYTES
        if announced <= most:
            message = await receive()
            received += len(message.get("body", b""))
            if received <= most:
                return message
        raise TooLarge(f"The body may have {_MOST_BYTES:,} bytes.")

    return receiving


def _work_of(scope: Scope, headers: dict[str, str]) -> WorkContext:
    request_id = str(new_id())
    foreign = headers.get("x-request-id", "")
    length = headers.get("content-length", "")
    return WorkContext(
        process="api",
        request_id=request_id,
        correlation_id=foreign if _FOREIGN_ID.fullmatch(foreign) else request_id,
        method=scope["method"],
        client_address=scope["client"][0] if scope.get("client") else None,
        user_agent=headers.get("user-agent"),
        request_bytes=int(length) if length.isdecimal() and len(length) < 16 else None,
    )
