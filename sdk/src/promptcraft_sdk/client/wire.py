"""How one call is put on the wire and read from it: no input or output here, so both clients share it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Generic, TypeVar, cast
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import TypeAdapter, ValidationError

from promptcraft_sdk.client.errors import ApiError, FieldProblem, UnexpectedAnswer

T = TypeVar("T")

DEFAULT_TIME_LIMIT = 30.0
MOST_ON_A_PAGE = 200
_NEXT = re.compile(r'<([^>]*)>;\s*rel="?next"?')


class Entries(list[T]):
    """A list, or the first of it: `cursor` names the place to go on from, where there is more."""

    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request of the API and the type of its answer; made by the functions of `promptcraft_sdk.client.api`.

    A call with a `key` is one thing to be done, however often it is sent: the platform answers it as the first time.
    """

    method: str
    template: str
    read: Callable[[bytes], T]
    path_values: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    time_limit: float = DEFAULT_TIME_LIMIT
    signed: bool = True
    key: str = ""
    # Which state is to be changed, by its ETag; `*` is any.
    if_match: str = ""
    # How many entries of a list to gather, page after page.
    most: int = 0

    @property
    def path(self) -> str:
        return self.template.format_map({name: quote(value, safe="") for name, value in self.path_values.items()})

    @property
    def safe(self) -> bool:
        """Whether asking again cannot do anything twice (RFC 9110 §9.2.1, Idempotency-Key)."""
        return self.method == "GET" or bool(self.key)

    def headers(self, access_token: str) -> dict[str, str]:
        headers = {"Accept": f"{self.accept}, application/problem+json"}
        if self.body is not None:
            headers["Content-Type"] = self.content_type
        if self.key:
            headers["Idempotency-Key"] = f'"{self.key}"'
        if self.if_match:
            headers["If-Match"] = self.if_match
        if self.signed and access_token:
            headers["Authorization"] = f"Bearer {access_token}"
        return headers

    def result(self, status: int, headers: Mapping[str, str], body: bytes) -> T:
        """What the answer says, or the ApiError that it is."""
        if not 200 <= status < 300:
            raise problem(status, headers, body)
        try:
            answer = self.read(body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = "/".join(str(part) for part in first["loc"]) or "the body"
            raise UnexpectedAnswer(
                f"{self.method} {self.path} answered {status} with something else than the platform would: "
                f"{where}: {first['msg']}"
            ) from error
        if isinstance(answer, Entries):
            answer.cursor = _cursor(headers)
        return cast("T", answer)

    def further(self, answer: T) -> "Call[T] | None":
        """The call for the next page of a list; None where there is enough of it, or nothing more."""
        if not isinstance(answer, Entries):
            return None
        entries = cast("Entries[Any]", answer)
        limit = min(self.most - len(entries), MOST_ON_A_PAGE)
        if limit <= 0 or not entries.cursor:
            return None
        return replace(self, query={**self.query, "cursor": entries.cursor, "limit": str(limit)})


def reader(adapter: TypeAdapter[T]) -> Callable[[bytes], T]:
    return adapter.validate_json


def problem(status: int | None, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The refusal in an answer; one without a problem document (a proxy's page, nothing) is named by its status.

    Without a status, as inside a stream, the document says it.
    """
    document = _document(body)
    if status is None:
        told = document.get("status")
        status = told if isinstance(told, int) else HTTPStatus.INTERNAL_SERVER_ERROR
    return ApiError(
        status=status,
        code=_text(document, "code") or f"http_{status}",
        title=_text(document, "title") or _phrase(status),
        detail=_text(document, "detail"),
        next_step=_text(document, "next_step"),
        request_id=_text(document, "request_id") or headers.get("x-request-id", ""),
        errors=_field_problems(document.get("errors")),
    )


def _cursor(headers: Mapping[str, str]) -> str:
    following = _NEXT.search(headers.get("link", ""))
    return parse_qs(urlsplit(following[1]).query).get("cursor", [""])[0] if following else ""


def _document(body: bytes) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(body)
    except ValidationError:
        return {}


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _field_problems(found: object) -> tuple[FieldProblem, ...]:
    if not isinstance(found, list):
        return ()
    items = [cast("dict[str, Any]", item) for item in cast("list[object]", found) if isinstance(item, dict)]
    return tuple(FieldProblem(_text(item, "pointer"), _text(item, "detail"), _text(item, "code")) for item in items)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"


_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
