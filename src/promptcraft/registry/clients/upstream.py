"""The client of registered servers: MCP over HTTP on the UNIX socket that the runtime gives each of them."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from promptcraft.kernel.http import http_client
from promptcraft.registry.clients.wire import ProgressReader, Request, outcome_of, result_of, tools_of
from promptcraft.registry.errors import UpstreamFailed, UpstreamTimedOut, UpstreamUnavailable
from promptcraft.registry.schemas import ToolContract, ToolResult

# Servers check the Host header against the names of their own machine; the official SDK wants a port in it.
_BASE_URL = "http://localhost:8080"
_PATH = "/mcp"
_LARGEST_ANSWER = 4 * 1024 * 1024
_MOST_TOOLS = 1000
_MOST_PAGES = 100
_MOST_SOCKETS = 256
_LIST_SECONDS = 10.0


# Takes the message of each progress notification.
Progressed = Callable[[str], Awaitable[None]]


class McpUpstream(Protocol):
    """A registered server, called by the path of its socket."""

    async def list_tools(self, endpoint: str) -> list[ToolContract]:
        """All its tools. Raises UpstreamUnavailable, UpstreamTimedOut, UpstreamFailed."""
        ...

    async def call_tool(
        self,
        endpoint: str,
        name: str,
        arguments: Mapping[str, Any],
        time_limit_seconds: float,
        meta: Mapping[str, Any] | None = None,
        progress: Progressed | None = None,
    ) -> ToolResult:
        """Call one tool; `meta` goes along in the request's `_meta`, `progress` hears what the server says meanwhile.

        Cancelled, it closes the connection, which tells the server that nobody waits any more.

        Raises UpstreamUnavailable, UpstreamTimedOut, UpstreamFailed (the tool's own failure too).
        """
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Pooled:
    client: httpx.AsyncClient
    users: int = 0


class SocketUpstream:
    """One pooled client per socket; the longest unused is closed beyond a bound."""

    def __init__(self) -> None:
        self._pool: OrderedDict[str, _Pooled] = OrderedDict()

    async def list_tools(self, endpoint: str) -> list[ToolContract]:
        tools: list[ToolContract] = []
        parameters: dict[str, Any] = {}
        async with _time_limit(_LIST_SECONDS):
            for _page in range(_MOST_PAGES):
                result = await self._send(endpoint, Request("tools/list", parameters))
                tools += tools_of(result)
                cursor = result.get("nextCursor")
                if len(tools) > _MOST_TOOLS:
                    break
                if cursor is None:
                    return _named_once(tools)
                parameters = {"cursor": cursor}
        raise UpstreamFailed(f"It lists more than {_MOST_TOOLS} tools, or more than {_MOST_PAGES} pages of them.")

    async def call_tool(
        self,
        endpoint: str,
        name: str,
        arguments: Mapping[str, Any],
        time_limit_seconds: float,
        meta: Mapping[str, Any] | None = None,
        progress: Progressed | None = None,
    ) -> ToolResult:
        parameters = {"name": name, "arguments": dict(arguments)}
        async with _time_limit(time_limit_seconds):
            request = Request("tools/call", parameters, name, meta or {}, progress is not None)
            return outcome_of(await self._send(endpoint, request, progress))

    async def close(self) -> None:
        for pooled in self._pool.values():
            await pooled.client.aclose()
        self._pool.clear()

    async def _send(self, endpoint: str, request: Request, progress: Progressed | None = None) -> dict[str, Any]:
        try:
            async with (
                self._client(endpoint) as client,
                client.stream(
                    "POST", _PATH, headers=request.headers(), content=request.body(), timeout=None
                ) as response,
            ):
                content = await _bounded(response, progress)
        except httpx.TransportError as failure:
            raise UpstreamUnavailable(f"Its socket does not answer ({type(failure).__name__}).") from failure
        return result_of(response.headers.get("content-type", ""), response.status_code, content)

    @asynccontextmanager
    async def _client(self, endpoint: str) -> AsyncGenerator[httpx.AsyncClient]:
        if endpoint not in self._pool:
            self._pool[endpoint] = _Pooled(http_client(base_url=_BASE_URL, socket=endpoint))
        self._pool.move_to_end(endpoint)
        pooled = self._pool[endpoint]
        pooled.users += 1
        try:
            yield pooled.client
        finally:
            pooled.users -= 1
        await self._shrink()

    async def _shrink(self) -> None:
        # Chosen anew each time: while one is closed, another may be taken into use or closed by somebody else.
        while len(self._pool) > _MOST_SOCKETS:
            unused = next((endpoint for endpoint, pooled in self._pool.items() if not pooled.users), None)
            if unused is None:
                return
            await self._pool.pop(unused).client.aclose()


@asynccontextmanager
async def _time_limit(seconds: float) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as failure:
        raise UpstreamTimedOut(f"The server did not answer within {seconds:g} s.") from failure


def _named_once(tools: list[ToolContract]) -> list[ToolContract]:
    names = Counter(tool.name for tool in tools)
    if len(names) < len(tools):
        raise UpstreamFailed(f"It lists two tools of the name {names.most_common(1)[0][0]}.")
    return tools


async def _bounded(response: httpx.Response, progress: Progressed | None) -> bytes:
    content = bytearray()
    reader = ProgressReader()
    async for part in response.aiter_raw():
        content += part
        if progress is not None:
            for message in reader.feed(part):
                await progress(message)
        if len(content) > _LARGEST_ANSWER:
            raise UpstreamFailed(f"Its answer is larger than {_LARGEST_ANSWER // 1_048_576} MiB.")
    return bytes(content)
