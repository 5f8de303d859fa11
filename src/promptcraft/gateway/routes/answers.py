"""How the model routes answer: as the OpenAI API does, errors included, so that its clients work unchanged."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from promptcraft.gateway.service import Call, Gateway, make_call
from promptcraft.kernel import context
from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.problems import problem_answer
from promptcraft.kernel.streams import STREAM_HEADERS, unless_hung_up

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_JSON = [(b"content-type", b"application/json")]


class ModelRoute(APIRoute):
    """A route whose problem documents also hold the `error` of the OpenAI API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except (PlatformError, RequestValidationError) as error:
                return await told(request, error)

        return handle


async def told(request: Request, error: PlatformError | RequestValidationError) -> Response:
    """What the platform answers to this error, with the event that it leaves, and with an OpenAI client's `error`."""
    response = await problem_answer(request, error)
    problem: dict[str, Any] = orjson.loads(bytes(response.body))
    body = orjson.dumps({**problem, "error": _error(problem)})
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, response.status_code, headers)


def error_body(error: PlatformError) -> bytes:
    """An error in the midst of a stream, where only OpenAI's form has a place."""
    work = context.current()
    document = {"status": error.status, "detail": error.detail, "code": error.code, "next_step": error.next_step}
    return orjson.dumps({"error": _error({**document, "request_id": work.request_id})})


def _error(problem: dict[str, Any]) -> dict[str, Any]:
    pointers = [str(one["pointer"]).removeprefix("/") for one in problem.get("errors", ())]
    status = int(problem["status"])
    return {
        "message": " ".join(part for part in (problem["detail"], problem["next_step"]) if part),
        "type": _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
        "param": pointers[0] if pointers else None,
        "code": problem["code"],
        "request_id": problem["request_id"],
        "next_step": problem["next_step"],
    }


class ModelAnswer(Response):
    """A model's answer on its way to the caller. Nothing is sent before there is some of it, so a failure is told by
    its status; a caller who hangs up ends it.
    """

    def __init__(self, gateway: Gateway, call: Call, request: Request) -> None:
        super().__init__()
        self._gateway = gateway
        self._call = call
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def begin() -> None:
            nonlocal begun
            begun = True
            headers = STREAM_HEADERS if self._call.wanted.streamed else _JSON
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})

        async def pass_on(part: bytes) -> None:
            if not begun:
                await begin()
            await send({"type": "http.response.body", "body": part, "more_body": True})

        try:
            await unless_hung_up(make_call(self._gateway, self._call, pass_on, error_body), receive)
        except PlatformError as error:
            if begun:
                raise
            await (await told(self._request, error))(scope, receive, send)
            return
        if begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
