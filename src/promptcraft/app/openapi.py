"""What the description of the API says beside what FastAPI sees: who may call, and how errors look."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from promptcraft.kernel.api import door_of
from promptcraft.kernel.problems import MEDIA_TYPE

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
_ANSWER = {
    "description": "Anything that went wrong",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class DescribedApi(FastAPI):
    """FastAPI whose OpenAPI document also holds bearer tokens, each operation's permission, and problem documents."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document, made at the first call."""
        if self.openapi_schema is None:
            _complete_document(super().openapi(), self)
        return super().openapi()


def _complete_document(document: dict[str, Any], app: FastAPI) -> None:
    components = document.setdefault("components", {})
    components.setdefault("securitySchemes", {})["bearer"] = _BEARER
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path, {})
        for method in route.methods or ():
            if method.lower() in operations:
                _complete(operations[method.lower()], route)
    # What FastAPI assumes of refused values is not what is sent.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)


def _complete(operation: dict[str, Any], route: Any) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = _ANSWER
    door = door_of(route.dependant)
    if door is not None and door.permission is not None:
        operation["security"] = [{"bearer": []}]
        operation["x-permission"] = door.permission.value
