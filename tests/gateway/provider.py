"""A provider of models written for the tests: it does what a test tells it to, well or badly."""

import asyncio
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
MODEL = "gpt-4o-2024-08-06"


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    query: str
    headers: dict[str, str]
    document: dict[str, Any]

    @property
    def by(self) -> str:
        """Which of the platform's providers this was meant for."""
        return self.path.split("/")[1]


@dataclass
class Exchange:
    """One request and the ways to answer it."""

    asked: Asked
    send: Callable[[dict[str, Any]], Awaitable[None]]
    provider: "FakeProvider"

    async def start(self, status: int, media_type: str, headers: dict[str, str] | None = None) -> None:
        named = {"content-type": media_type, **(headers or {})}
        head = [(name.encode(), value.encode()) for name, value in named.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": head})

    async def part(self, content: bytes, *, more: bool = True) -> None:
        await self.send({"type": "http.response.body", "body": content, "more_body": more})

    async def whole(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        await self.start(status, "application/json", headers)
        await self.part(json.dumps(document).encode(), more=False)

    async def event(self, document: Any) -> None:
        await self.part(
            b"data: " + (document if isinstance(document, bytes) else json.dumps(document).encode()) + b"\n\n"
        )


Behaviour = Callable[[Exchange], Awaitable[None]]


@dataclass
class FakeProvider:
    """Does the next of `behaviours`; where there is none, what it does `otherwise`, or else answers well."""

    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    behaviours: deque[Behaviour] = field(default_factory=deque)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    models: Sequence[str] = ("gpt-4o", "gpt-4o-mini")
    otherwise: Behaviour | None = None

    def will(self, *behaviours: Behaviour) -> None:
        self.asked.clear()
        self.hung_up.clear()
        self.behaviours = deque(behaviours)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = Asked(scope["path"], scope["query_string"].decode(), headers, json.loads(body) if body else {})
        exchange = Exchange(asked, send, self)
        if scope["path"].endswith("/models"):
            await exchange.whole(200, {"object": "list", "data": [{"id": name} for name in self.models]})
            return
        self.asked.append(asked)
        behaviour = self.behaviours.popleft() if self.behaviours else self.otherwise or answers
        working = asyncio.ensure_future(behaviour(exchange))
        leaving = asyncio.ensure_future(receive())
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            self.hung_up.set()
            working.cancel()
        leaving.cancel()
        await asyncio.gather(working, return_exceptions=True)


def delta(text: str, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice], "usage": None, **more}


LAST = delta("", choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


async def answers(exchange: Exchange) -> None:
    """As a good provider does."""
    if exchange.asked.document.get("stream"):
        await streams("Hel", "lo")(exchange)
        return
    message = {"role": "assistant", "content": "Hello"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    await exchange.whole(
        200, {"id": "c1", "object": "chat.completion", "model": MODEL, "choices": [choice], "usage": USAGE}
    )


def streams(*texts: str, usage: Any = USAGE) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.start(200, "text/event-stream")
        for text in texts:
            await exchange.event(delta(text))
        await exchange.event(LAST)
        if exchange.asked.document.get("stream_options", {}).get("include_usage"):
            await exchange.event({"id": "c1", "model": MODEL, "choices": [], "usage": usage})
        await exchange.event(b"[DONE]")
        await exchange.part(b"", more=False)

    return behave


def slowly(*texts: str, go_on: asyncio.Event) -> Behaviour:
    """Sends one text, and the rest when told to."""

    async def behave(exchange: Exchange) -> None:
        await exchange.start(200, "text/event-stream")
        await exchange.event(delta(texts[0]))
        await go_on.wait()
        for text in texts[1:]:
            await exchange.event(delta(text))
        await exchange.event(LAST)
        await exchange.event({"id": "c1", "model": MODEL, "choices": [], "usage": USAGE})
        await exchange.event(b"[DONE]")
        await exchange.part(b"", more=False)

    return behave


async def stops_midway(exchange: Exchange) -> None:
    await exchange.start(200, "text/event-stream")
    await exchange.event(delta("Half an ans"))
    await exchange.part(b"", more=False)


async def complains_midway(exchange: Exchange) -> None:
    await exchange.start(200, "text/event-stream")
    await exchange.event(delta("Half an ans"))
    await exchange.event({"error": {"message": "out of memory", "type": "server_error"}})
    await exchange.part(b"", more=False)


async def hangs(exchange: Exchange) -> None:
    await asyncio.sleep(600)


def refuses(status: int, message: str = "no", **headers: str) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await exchange.whole(status, {"error": {"message": message, "type": "t", "code": "c"}}, named)

    return behave


@asynccontextmanager
async def running(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """The provider on a port of its own."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    provider.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(provider, log_config=None, lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by a flag alone
        await asyncio.sleep(0.01)
    try:
        yield provider
    finally:
        server.should_exit = True
        await serving
