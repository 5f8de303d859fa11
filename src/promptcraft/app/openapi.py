"""What the description of the API says beside what FastAPI sees: who may call, how errors look, headers, examples."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from promptcraft.app.examples import example_of
from promptcraft.kernel import errors
from promptcraft.kernel.api import Door, door_of
from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.problems import MEDIA_TYPE
from promptcraft.kernel.repeats import REPLAYED

_JSON = "application/json"
_BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From POST /auth/token"}
_TEXT = {"type": "string"}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "request_id", "next_step"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": _TEXT,
        "request_id": _TEXT,
        "next_step": _TEXT,
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"pointer": _TEXT, "detail": _TEXT, "code": _TEXT}},
        },
    },
}
_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-ID": ("Names this request in logs and in the audit log", _TEXT),
    "RateLimit-Policy": ("How many requests are allowed, by whose count", _TEXT),
    "RateLimit": ("How many are left of the tightest limit, and for how many seconds", _TEXT),
    "Retry-After": ("Seconds to wait before another try", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("Why the credential was not taken (RFC 6750)", _TEXT),
    "Link": ("The next page, if there is one (rel=next)", _TEXT),
    "ETag": ("This state, for the If-Match of a change", _TEXT),
    "Location": ("Where the progress of what was accepted is shown", _TEXT),
    REPLAYED: ("`true`: the answer is that of the first request with this Idempotency-Key", {"enum": ["true"]}),
}
_LIMITED = ("RateLimit-Policy", "RateLimit")
_ERRORS: dict[str, type[PlatformError]] = {
    "400": errors.BadRequest,
    "401": errors.Unauthenticated,
    "403": errors.Forbidden,
    "404": errors.NotFound,
    "409": errors.Conflict,
    "413": errors.TooLarge,
    "422": errors.Invalid,
    "429": errors.TooMany,
    "503": errors.Unavailable,
}
_HEADERS_OF_ERRORS = {"401": ("WWW-Authenticate",), "429": ("Retry-After", *_LIMITED), "503": ("Retry-After",)}
# What a caller may see of these is the platform itself, which is asked before anything works.
_UNLIMITED = "health"


class DescribedApi(FastAPI):
    """FastAPI whose OpenAPI document also holds permissions, problem documents, headers, and examples."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document, made at the first call."""
        if self.openapi_schema is None:
            _complete_document(super().openapi(), self)
        return super().openapi()


def named_as_the_function(route: APIRoute) -> str:
    """The id of a route's operation; a test sees that no two functions have one name."""
    return route.name


def _complete_document(document: dict[str, Any], app: FastAPI) -> None:
    components = document.setdefault("components", {})
    components.setdefault("securitySchemes", {})["bearer"] = _BEARER
    components["headers"] = {name: {"description": said, "schema": of} for name, (said, of) in _HEADERS.items()}
    components["responses"] = {error.__name__: _problem_answer(status, error) for status, error in _ERRORS.items()}
    components["responses"]["PlatformError"] = _problem_answer("default", PlatformError)
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    # What FastAPI assumes of refused values is not what is sent.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    for route in iter_route_contexts(app.routes):
        path = document["paths"].get(route.path, {})
        for method in route.methods or ():
            if method.lower() in path:
                _complete(path[method.lower()], path, door_of(route.dependant))
                _exemplify(path[method.lower()], schemas)


def _complete(operation: dict[str, Any], path: Mapping[str, Any], door: Door | None) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    for status, answer in answers.items():
        answer["headers"] = _headers(*_headers_of(status, operation, path))
    named = {status: error for status, error in _ERRORS.items() if status in set(_refusals(operation, door))}
    for status, error in (named | {"default": PlatformError}).items():
        answers[status] = {"$ref": f"#/components/responses/{error.__name__}"}
    if door is not None and door.permission is not None:
        operation["security"] = [{"bearer": []}]
        operation["x-permission"] = door.permission.value


def _refusals(operation: Mapping[str, Any], door: Door | None) -> Iterator[str]:
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    if "requestBody" in operation:
        yield from ("400", "413", "422")
    if places & {"query", "header"}:
        yield "400"
    if door is not None and door.permission is not None:
        yield from ("401", "403")
    if "path" in places:
        yield "404"
    if "Idempotency-Key" in _names(operation):
        yield from ("409", "422")
    if _UNLIMITED not in operation["tags"]:
        yield from ("429", "503")


def _headers_of(status: str, operation: Mapping[str, Any], path: Mapping[str, Any]) -> Iterator[str]:
    yield "X-Request-ID"
    if _UNLIMITED not in operation["tags"]:
        yield from _LIMITED
    if status == "202":
        yield "Location"
    if "cursor" in _names(operation):
        yield "Link"
    if "Idempotency-Key" in _names(operation):
        yield REPLAYED
    if "If-Match" in _names(operation) or (
        operation is path.get("get") and any("If-Match" in _names(other) for other in path.values())
    ):
        yield "ETag"


def _names(operation: Mapping[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in operation.get("parameters", ())}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem_answer(status: str, error: type[PlatformError]) -> dict[str, Any]:
    example = {
        "type": f"urn:promptcraft:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.title,
        "code": error.code,
        "request_id": "0198c0de-0000-7000-8000-000000000001",
        "next_step": error.next_step,
    }
    return {
        "description": "Anything else that went wrong" if status == "default" else error.title,
        "headers": _headers("X-Request-ID", *_HEADERS_OF_ERRORS.get(status, ())),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }


def _exemplify(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    bodies = [answer.get("content", {}) for answer in operation["responses"].values()]
    for content in (operation.get("requestBody", {}).get("content", {}), *bodies):
        body = content.get(_JSON, {})
        if "schema" in body and "example" not in body:
            body["example"] = example_of(body["schema"], schemas)
