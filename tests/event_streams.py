"""Reading server-sent events as a client that knows nothing of the platform's would."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx


class Event(NamedTuple):
    id: int | None
    name: str
    data: Any


async def events_of(response: httpx.Response) -> AsyncIterator[Event]:
    """Each event of a stream; comments and hints are passed over."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield Event(int(fields["id"]) if "id" in fields else None, fields["event"], json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


@asynccontextmanager
async def followed(
    client: httpx.AsyncClient, path: str, after: int | None = None
) -> AsyncIterator[AsyncIterator[Event]]:
    """A stream that was opened; it is left with the block."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield events_of(response)
