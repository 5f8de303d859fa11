"""Errors become problem documents (RFC 9457) here, and leave the audit events that the catalogue lists for them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from promptcraft.kernel import context
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.api import authenticated, door_of
from promptcraft.kernel.audit import Event, Outcome, record_alone, record_outcome
from promptcraft.kernel.audit.catalogue.kernel import AUTHENTICATION_REFUSED
from promptcraft.kernel.errors import (
    BadRequest,
    FieldProblem,
    Forbidden,
    Invalid,
    NotFound,
    PlatformError,
    TimedOut,
    Unauthenticated,
)
from promptcraft.kernel.telemetry import get_logger

MEDIA_TYPE = "application/problem+json"
_HUNG_UP = 499
_log = get_logger(__name__)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of this application a problem document."""
    app.add_exception_handler(PlatformError, _platform_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(Exception, _unexpected)


def problem(error: PlatformError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body: dict[str, Any] = {
        "type": f"urn:promptcraft:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": context.current().request_id,
        "next_step": error.next_step,
    }
    if error.errors:
        body["errors"] = [{"pointer": e.pointer, "detail": e.detail, "code": e.code} for e in error.errors]
    extra = dict(headers or {})
    if isinstance(error, Unauthenticated):
        extra["WWW-Authenticate"] = f'Bearer realm="promptcraft", error="{error.code}"'
    if error.retry_after_seconds is not None:
        extra["Retry-After"] = str(error.retry_after_seconds)
    return JSONResponse(body, error.status, extra, MEDIA_TYPE)


async def problem_answer(request: Request, error: Exception) -> Response:
    """What an error is answered with where a response was begun outside of the route; it leaves its events."""
    known = (one for one in (PlatformError, RequestValidationError) if isinstance(error, one))
    return await request.app.exception_handlers[next(known, Exception)](request, error)


async def _platform_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, PlatformError):
        raise error
    if error.status < 500 or isinstance(error, TimedOut):
        # An outcome that cannot be recorded is not told: its Unavailable comes back here by the handler around this.
        await _audit(request, error)
    return problem(error)


async def _audit(request: Request, error: PlatformError) -> None:
    action = context.current().action
    event = action if isinstance(action, Event) else None
    actor: Actor = getattr(request.state, "actor", None) or platform_actor(context.current().request_id)
    db = request.app.state.db
    match error:
        case Unauthenticated():
            if not getattr(error, "recorded", False):
                await record_alone(
                    db, actor, AUTHENTICATION_REFUSED, status_code=error.status, error=error.detail, reason=error.code
                )
        case Forbidden():
            await record_outcome(db, actor, event, Outcome.DENIED, status_code=error.status, reason=error.detail)
        case TimedOut() if not getattr(error, "recorded", False):
            await record_outcome(db, actor, event, Outcome.TIMEOUT, status_code=error.status, reason=error.detail)
        case _ if event is not None and not getattr(error, "recorded", False):
            await record_outcome(db, actor, event, Outcome.INVALID, status_code=error.status, reason=error.detail)
        case _:
            return


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    try:
        await _admit(request)
    except PlatformError as refusal:
        return await _platform_error(request, refusal)
    return await _platform_error(request, _refusal(error))


async def _admit(request: Request) -> None:
    """Nobody learns how a body must look before showing who they are: broken ones are read before the door."""
    route = request.scope.get("route")
    door = door_of(route.dependant) if route is not None and hasattr(route, "dependant") else None
    if door is not None:
        await door(request)
    if door is None or door.permission is not None:
        await authenticated(request)


def _refusal(error: RequestValidationError) -> PlatformError:
    problems = [FieldProblem(_pointer(e["loc"]), _sentence(e), e["type"]) for e in error.errors()]
    places = {e["loc"][0] for e in error.errors()}
    if "path" in places:
        return NotFound()
    if places & {"query", "header", "cookie"}:
        return BadRequest("A parameter of the request is not usable.", errors=problems)
    return Invalid("Some values are not usable.", errors=problems)


def _sentence(error: dict[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _pointer(location: tuple[Any, ...]) -> str:
    if location[0] == "body" and len(location) == 2 and isinstance(location[1], int):
        return ""  # the position inside malformed JSON, which no pointer can name
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location[1:])


async def _http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, PlatformError):  # FastAPI wraps what reading the body met
        return await _platform_error(request, error.__cause__)
    if isinstance(error.__cause__, ClientDisconnect):
        return await _disconnected(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    headers = error.headers
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {**(headers or {}), "Allow": ", ".join(sorted(_methods_of(request)))}
    found = NotFound() if status == HTTPStatus.NOT_FOUND else BadRequest(status.phrase)
    answer = problem(found, headers)
    if status != found.status:
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": error.detail,
            "code": status.name.lower(),
            "request_id": context.current().request_id,
            "next_step": found.next_step,
        }
        return JSONResponse(body, status.value, headers, MEDIA_TYPE)
    return answer


def _methods_of(request: Request) -> set[str]:
    """All that a path knows: the router names those of the first route that has it."""
    fitting = (one for one in iter_route_contexts(request.app.routes) if _leads(one.path_format, request.url.path))
    return {method for route in fitting for method in route.methods or ()}


def _leads(template: str | None, path: str) -> bool:
    return template is not None and compile_path(template)[0].match(path) is not None


async def _disconnected(request: Request, error: Exception) -> Response:
    """Nobody is left to read the answer; its status is for the metrics (nginx's "client closed request")."""
    if not isinstance(error, ClientDisconnect):
        raise error
    try:
        await _admit(request)
    except PlatformError as refusal:
        return await _platform_error(request, refusal)
    action = context.current().action
    if isinstance(action, Event):
        actor: Actor = getattr(request.state, "actor", None) or platform_actor(context.current().request_id)
        reason = "the client hung up before its request was whole"
        await record_outcome(
            request.app.state.db, actor, action, Outcome.DISCONNECT, status_code=_HUNG_UP, reason=reason
        )
    return Response(status_code=_HUNG_UP)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw: told to the log with its traceback, to the caller without."""
    _log.error("request failed", exc_info=error)
    action = context.current().action
    actor: Actor = getattr(request.state, "actor", None) or platform_actor(context.current().request_id)
    event = action if isinstance(action, Event) else None
    try:
        await record_outcome(
            request.app.state.db, actor, event, Outcome.EXCEPTION, status_code=500, reason=type(error).__name__
        )
    except Exception:  # noqa: BLE001 - process edge: what made the request fail may keep it out of the audit log, too
        _log.exception("the failure is not in the audit log")
    return problem(PlatformError())
