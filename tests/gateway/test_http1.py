"""The client of providers against servers that keep to HTTP/1.1, and against those that do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from promptcraft.gateway.clients.http1 import BrokenOff, Http1, Place, request_of

REQUEST = request_of("GET", "/", {"Host": "localhost"}, None)
Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(connected: Connected) -> AsyncIterator[Place]:
    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listening:
        yield Place("127.0.0.1", listening.sockets[0].getsockname()[1], "localhost", secure=False)


def answering(*answers: bytes, connections: list[int] | None = None) -> Connected:
    """Answers one request after the other with these bytes, then hangs up."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connections is not None:
            connections.append(1)
        with suppress(asyncio.IncompleteReadError):
            for answer in answers:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
        writer.close()

    return connected


async def body_of(http: Http1, place: Place) -> bytes:
    async with http.asked(place, REQUEST, 5) as received:
        return b"".join([part async for part in received.parts])


@pytest.fixture
async def http() -> AsyncIterator[Http1]:
    client = Http1(connect_seconds=2, keep_seconds=30)
    yield client
    await client.close()


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["length", "chunks", "until the end", "HTTP/1.0"],
)
async def test_answer_is_whole_however_its_end_is_told(http, answer):
    async with server(answering(answer)) as place:
        assert await body_of(http, place) == b"hello"


async def test_connection_serves_one_request_after_the_other(http):
    connections: list[int] = []
    async with server(answering(WHOLE, WHOLE, WHOLE, connections=connections)) as place:
        bodies = [await body_of(http, place) for _ in range(3)]

    assert bodies == [b"hello"] * 3
    assert len(connections) == 1


async def test_connection_that_was_closed_meanwhile_is_not_used_again(http):
    async with server(answering(WHOLE)) as place:
        first = await body_of(http, place)
        await asyncio.sleep(0.1)
        second = await body_of(http, place)

    assert (first, second) == (b"hello", b"hello")


async def test_answer_that_is_left_early_ends_its_connection(http):
    ended = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n")
        await reader.read()
        ended.set()
        writer.close()

    async with server(endless) as place:
        async with http.asked(place, REQUEST, 5) as received:
            assert await anext(received.parts) == b"he"
        await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nLong: " + b"x" * 100_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
    ],
    ids=["too short", "no last chunk", "no chunk", "long header", "no HTTP", "nothing"],
)
async def test_answer_that_is_none_is_told_apart(http, answer):
    async with server(answering(answer)) as place:
        with pytest.raises(BrokenOff):
            await body_of(http, place)


async def test_silence_ends_at_its_limit(http):
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with server(silent) as place:
        with pytest.raises(TimeoutError):
            async with http.asked(place, REQUEST, 0.1):
                pass


async def test_nobody_there_is_told_apart(http):
    with pytest.raises(BrokenOff):
        await body_of(http, Place("127.0.0.1", 1, "localhost", secure=False))


def test_header_cannot_hold_another():
    with pytest.raises(ValueError, match="does not belong"):
        request_of("GET", "/", {"Host": "a\r\nX: y"}, None)
