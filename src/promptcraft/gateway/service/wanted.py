"""What a caller asks of a model: their request, checked as far as the platform must understand it, else passed on."""

from dataclasses import dataclass
from typing import Any, cast

import orjson

from promptcraft.gateway.errors import RequestTooLarge, RequestUnusable
from promptcraft.gateway.schemas import Policy
from promptcraft.kernel.errors import FieldProblem

MOST_BYTES = 16 * 1024 * 1024
_MOST_NAME = 200
_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`document` is the request as it came; `usage_too` where the caller wants the usage at the end of a stream."""

    model: str
    streamed: bool
    usage_too: bool
    document: dict[str, Any]

    def body(self, model: str) -> bytes:
        """The request under the provider's name of the model; of a stream the usage is always asked for."""
        changed: dict[str, Any] = {**self.document, "model": model}
        if self.streamed:
            options: dict[str, Any] = self.document.get("stream_options") or {}
            changed["stream_options"] = {**options, "include_usage": True}
        return orjson.dumps(changed)


def read_request(body: bytes) -> Wanted:
    """Raises RequestTooLarge, RequestUnusable."""
    if len(body) > MOST_BYTES:
        raise RequestTooLarge(f"The body may have {MOST_BYTES:,} bytes.")
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestUnusable(f"The body is no JSON: {error.msg}.") from None
    if not isinstance(document, dict):
        raise _unusable("", "must be an object")
    wanted = _checked(cast("dict[str, Any]", document))
    try:
        wanted.body(wanted.model)
    except TypeError:
        raise _unusable("", "must not be nested that deeply") from None
    return wanted


def within(wanted: Wanted, policy: Policy) -> Wanted:
    """The request with the organisation's limit of output tokens. Raises RequestUnusable where it asks for more."""
    most = policy.output_tokens_per_call
    if most is None:
        return wanted
    named = [name for name in _LIMITS if wanted.document.get(name) is not None]
    for name in named:
        if wanted.document[name] > most:
            raise _unusable(f"/{name}", f"your organisation allows {most} output tokens a call")
    if named:
        return wanted
    document = {**wanted.document, "max_completion_tokens": most}
    return Wanted(wanted.model, wanted.streamed, wanted.usage_too, document)


def _checked(document: dict[str, Any]) -> Wanted:
    model = document.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= _MOST_NAME or not model.isprintable():
        raise _unusable("/model", f"must be the name of a model, at most {_MOST_NAME} characters")
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _unusable("/messages", "must be a list of at least one message")
    streamed = document.get("stream")
    if not (streamed is None or isinstance(streamed, bool)):
        raise _unusable("/stream", "must be true or false")
    options = document.get("stream_options")
    if not (options is None or isinstance(options, dict)):
        raise _unusable("/stream_options", "must be an object")
    for name in _LIMITS:
        limit = document.get(name)
        if limit is not None and (type(limit) is not int or limit < 1):
            raise _unusable(f"/{name}", "must be a whole number from 1 on")
    usage_too = bool(cast("dict[str, Any]", options or {}).get("include_usage"))
    return Wanted(model, bool(streamed), usage_too, document)


def _unusable(pointer: str, detail: str) -> RequestUnusable:
    name = pointer.removeprefix("/") or "The body"
    return RequestUnusable(f"{name} {detail}.", errors=[FieldProblem(pointer, detail)])
