"""The client of registered servers, against the official SDK's server and against servers that misbehave."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mcp.server import MCPServer
from pydantic import BaseModel

from promptcraft.registry import SocketUpstream, UpstreamFailed, UpstreamTimedOut, UpstreamUnavailable
from tests.mcp_servers import app_of, serving


class Answer(BaseModel):
    answered: bool
    answer: str


def sdk_server(*, streamed: bool = False) -> Any:
    server = MCPServer("clerk")
    started = asyncio.Event()

    @server.tool()
    def ask(query: str) -> Answer:
        """Ask the clerk."""
        return Answer(answered=True, answer=f"about {query}")

    @server.tool()
    def fail(query: str) -> str:
        raise ValueError(query)

    @server.tool()
    async def dawdle() -> str:
        started.set()
        await asyncio.sleep(60)
        return "at last"

    @server.tool()
    def ramble() -> str:
        return "x" * 5_000_000

    return server.streamable_http_app(stateless_http=True, json_response=not streamed)


def fixed(status: int, body: bytes, content_type: bytes = b"application/json") -> Any:
    """A server that answers everything so."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_servers_tools_are_listed_as_it_describes_them(
    upstream: SocketUpstream, directory: Path, streamed: bool
):
    async with serving(sdk_server(streamed=streamed), directory / "s") as endpoint:
        tools = await upstream.list_tools(endpoint)

    assert [tool.name for tool in tools] == ["ask", "fail", "dawdle", "ramble"]
    assert tools[0].description == "Ask the clerk."
    assert tools[0].input_schema["properties"]["query"]["type"] == "string"
    assert tools[0].output_schema is not None
    assert set(tools[0].output_schema["properties"]) == {"answered", "answer"}


@pytest.mark.parametrize("query", ["VAT", "Škoda & 税 🧾", "line\nbreak", "=?base64?x?="])
async def test_a_call_brings_the_arguments_there_and_the_structured_answer_back(
    upstream: SocketUpstream, directory: Path, query: str
):
    async with serving(sdk_server(), directory / "s") as endpoint:
        result = await upstream.call_tool(endpoint, "ask", {"query": query}, 5)

    assert result.structured == {"answered": True, "answer": f"about {query}"}


async def test_a_tools_name_that_no_header_can_hold_is_still_called_by_it(upstream: SocketUpstream, directory: Path):
    def find() -> str:
        return "found"

    server = MCPServer("clerk")
    server.add_tool(find, name="daň")
    async with serving(app_of(server), directory / "s") as endpoint:
        result = await upstream.call_tool(endpoint, "daň", {}, 5)

    assert result.structured == {"result": "found"}


async def test_a_failure_of_the_tool_is_told_with_its_words(upstream: SocketUpstream, directory: Path):
    async with serving(sdk_server(), directory / "s") as endpoint:
        with pytest.raises(UpstreamFailed, match="Error executing tool fail"):
            await upstream.call_tool(endpoint, "fail", {"query": "x"}, 5)
        with pytest.raises(UpstreamFailed, match="Unknown tool: nothing"):
            await upstream.call_tool(endpoint, "nothing", {}, 5)


async def test_the_time_limit_ends_a_call_and_the_server_is_usable_after_it(upstream: SocketUpstream, directory: Path):
    async with serving(sdk_server(), directory / "s") as endpoint:
        with pytest.raises(UpstreamTimedOut):
            await upstream.call_tool(endpoint, "dawdle", {}, 0.3)

        result = await upstream.call_tool(endpoint, "ask", {"query": "x"}, 5)

    assert result.structured is not None


async def test_an_answer_beyond_the_bound_is_refused(upstream: SocketUpstream, directory: Path):
    async with serving(sdk_server(), directory / "s") as endpoint:
        with pytest.raises(UpstreamFailed, match="larger than 4 MiB"):
            await upstream.call_tool(endpoint, "ramble", {}, 30)


async def test_a_missing_socket_and_one_nobody_listens_on_are_unavailable(upstream: SocketUpstream, directory: Path):
    with pytest.raises(UpstreamUnavailable):
        await upstream.list_tools(str(directory / "missing"))
    async with serving(sdk_server(), directory / "s") as endpoint:
        await upstream.list_tools(endpoint)

    with pytest.raises(UpstreamUnavailable):
        await upstream.call_tool(endpoint, "ask", {"query": "x"}, 5)


async def test_a_server_that_came_back_on_its_socket_is_reached_again(upstream: SocketUpstream, directory: Path):
    for _start in range(2):
        async with serving(sdk_server(), directory / "s") as endpoint:
            assert (await upstream.call_tool(endpoint, "ask", {"query": "x"}, 5)).structured is not None


async def test_a_server_that_hangs_up_before_its_answer_is_unavailable(upstream: SocketUpstream, directory: Path):
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    server = await asyncio.start_unix_server(hang_up, directory / "s")
    async with server:
        with pytest.raises(UpstreamUnavailable):
            await upstream.call_tool(str(directory / "s"), "ask", {}, 5)


@pytest.mark.parametrize(
    ("status", "body", "content_type", "says"),
    [
        (200, b"not json", b"application/json", "no MCP message"),
        (200, b"[1, 2]", b"application/json", "no MCP message"),
        (200, b'{"jsonrpc":"2.0","id":1,"result":7}', b"application/json", "no MCP message"),
        (200, b"data: {broken\n\n", b"text/event-stream", "no MCP message"),
        (421, b"Invalid Host header", b"text/plain", "HTTP status 421"),
        (500, b"", b"text/plain", "HTTP status 500"),
        (307, b"", b"text/plain", "HTTP status 307"),
        (200, b'{"result":{"resultType":"input_required"}}', b"application/json", "further input"),
        (400, b'{"error":{"code":-32022,"message":"no"}}', b"application/json", "does not speak MCP 2026-07-28"),
        (200, b'{"error":{"code":-32603,"message":"ouch"}}', b"application/json", r"ouch \(MCP error -32603\)"),
        (200, b"[" * 200_000, b"application/json", "no MCP message"),
    ],
)
async def test_what_is_no_answer_is_a_typed_failure(
    upstream: SocketUpstream, directory: Path, status: int, body: bytes, content_type: bytes, says: str
):
    async with serving(fixed(status, body, content_type), directory / "s") as endpoint:
        with pytest.raises(UpstreamFailed, match=says):
            await upstream.call_tool(endpoint, "ask", {}, 5)


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        (b'[{"name":"a","inputSchema":{}},{"name":"a","inputSchema":{}}]', "two tools of the name a"),
        (b'[{"name":"a"}]', "no input schema"),
        (b"{}", "no list"),
        (b"[]", "pages"),
    ],
)
async def test_a_list_of_tools_that_cannot_be_is_refused(
    upstream: SocketUpstream, directory: Path, tools: bytes, says: str
):
    endless = b',"nextCursor":"again"' if says == "pages" else b""
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":' + tools + endless + b"}}"
    async with serving(fixed(200, body), directory / "s") as endpoint:
        with pytest.raises(UpstreamFailed, match=says):
            await upstream.list_tools(endpoint)
