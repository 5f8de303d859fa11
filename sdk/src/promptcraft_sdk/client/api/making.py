"""How the calls of this package are made."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import TypeAdapter

from promptcraft_sdk.client.schemas import (
    AgentCreate,
    Envelope,
    Health,
    Token,
)
from promptcraft_sdk.client.streams import MEDIA_TYPE, SILENCE_SECONDS, Stream
from promptcraft_sdk.client.wire import MOST_ON_A_PAGE, Call, Entries, reader

T = TypeVar("T")
TRANSFER_TIME_LIMIT = 600.0


def get(template: str, answer: type[T], *, query: Mapping[str, object] | None = None, **path: object) -> Call[T]:
    return Call("GET", template, data_of(answer), path_values=texts(path), query=given(query or {}))


def list_of(
    template: str, entry: type[T], most: int | None = None, *, query: Mapping[str, object] | None = None
) -> Call[list[T]]:
    """All entries of a list where no number is given."""
    adapter: TypeAdapter[Envelope[list[T]]] = adapter_of(Envelope[list[entry]])

    def read(body: bytes) -> list[T]:
        return Entries(adapter.validate_json(body).data)

    most = sys.maxsize if most is None else most
    limit = min(most, MOST_ON_A_PAGE)
    return Call("GET", template, read, query=given({**(query or {}), "limit": limit}), most=most)


def follow(template: str, answer: type[T], **path: object) -> Stream[T]:
    read = data_of(answer)
    return Stream(
        "GET",
        template,
        read,
        path_values=texts(path),
        accept=MEDIA_TYPE,
        time_limit=SILENCE_SECONDS,
        parts={"progress": read},
        resumable=True,
    )


def post(
    template: str,
    answer: type[T],
    body: AgentCreate | Mapping[str, Any],
    *,
    time_limit: float = 30.0,
    **path: object,
) -> Call[T]:
    return Call("POST", template, data_of(answer), path_values=texts(path), body=json_of(body), time_limit=time_limit)


def once(call: Call[T]) -> Call[T]:
    """The call with a key of its own: however often it is sent, it is done once."""
    return replace(call, key=str(uuid4()))


def put(template: str, answer: type[T], body: Mapping[str, Any], **path: object) -> Call[T]:
    return Call("PUT", template, data_of(answer), path_values=texts(path), body=json_of(body))


def probe(path: str) -> Call[Health]:
    return Call("GET", path, reader(adapter_of(Health)), time_limit=10.0, signed=False)


def credential_exchange(body: Mapping[str, str]) -> Call[Token]:
    return Call("POST", "/auth/token", reader(adapter_of(Token)), body=json_of(body), signed=False)


def data_of(answer: type[T]) -> Callable[[bytes], T]:
    """Reads the `data` of an answer."""
    adapter: TypeAdapter[Envelope[T]] = adapter_of(Envelope[answer])

    def read(body: bytes) -> T:
        return adapter.validate_json(body).data

    return read


@cache
def adapter_of(answer: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(answer)


def nothing(_: bytes) -> None:
    return None


def json_of(body: AgentCreate | Mapping[str, Any]) -> bytes:
    if isinstance(body, AgentCreate):
        return body.model_dump_json(exclude_none=True).encode()
    return ANYTHING.dump_json(body)


def given(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value not in (None, "")}


def texts(values: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
