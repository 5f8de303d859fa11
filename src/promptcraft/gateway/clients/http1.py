"""HTTP/1.1 as providers of models need it: one request at a time on a kept connection, its answer part by part.

Made for what happens at each streamed part, where httpx's layers cost several times what the parser does
(benchmarks/models.py). No redirects, no proxies, no compression, no more of HTTP than that.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httptools

_READ_BYTES = 65_536
_MOST_HEADER_BYTES = 65_536
_MOST_KEPT_EACH = 64


class BrokenOff(Exception):
    """The other side is not there, ended too early, or speaks no HTTP."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whom to connect to: `address` is looked at already, `host` is whose certificate is expected."""

    address: str
    port: int
    host: str
    secure: bool


@dataclass(slots=True)
class _Answer:
    """Filled in by the parser as the answer arrives."""

    headers: dict[str, str] = field(default_factory=dict[str, str])
    parts: deque[bytes] = field(default_factory=deque[bytes])
    size: int = 0
    begun: bool = False
    whole: bool = False
    keeps: bool = False
    status: int = 0
    parser: httptools.HttpResponseParser = field(init=False)

    def __post_init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.size += len(name) + len(value)
        if self.size > _MOST_HEADER_BYTES:
            raise ValueError("its headers are too long")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.begun = True
        self.status = self.parser.get_status_code()
        self.keeps = self.parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        self.whole = True


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Received:
    """An answer whose body is still to be read; `parts` raises BrokenOff, and TimeoutError for a long silence."""

    status: int
    headers: Mapping[str, str]
    parts: AsyncIterator[bytes]


class Http1:
    """Connections that are kept for `keep_seconds` after their last use."""

    def __init__(self, *, connect_seconds: float, keep_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._keep_seconds = keep_seconds
        self._kept: dict[Place, list[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None

    @asynccontextmanager
    async def asked(self, place: Place, request: bytes, silence_seconds: float) -> AsyncGenerator[Received]:
        """Send a request; leaving the block before the answer is whole ends the connection.

        Raises BrokenOff, and TimeoutError where nothing comes for that long.
        """
        connection = await self._connected(place, silence_seconds)
        answer = _Answer()
        kept = False
        try:
            connection.writer.write(request)
            while not answer.begun:
                await _read(connection, answer, silence_seconds)
            yield Received(answer.status, answer.headers, _parts(connection, answer, silence_seconds))
            kept = answer.whole and not answer.parts and not connection.reader.at_eof() and answer.keeps
        except TimeoutError:
            raise
        except (OSError, httptools.HttpParserError) as failure:
            raise BrokenOff(type(failure).__name__) from failure
        finally:
            if kept:
                self._keep(place, connection)
            else:
                connection.writer.transport.abort()

    async def close(self) -> None:
        for connections in self._kept.values():
            for connection in connections:
                connection.writer.close()
        self._kept.clear()

    async def _connected(self, place: Place, silence_seconds: float) -> _Connection:
        kept = self._kept.get(place, [])
        while kept:
            connection = kept.pop()
            fresh = time.monotonic() - connection.used_at < self._keep_seconds
            if fresh and not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.writer.transport.abort()
        if place.secure and self._tls is None:
            # Reads the certificates of the machine, once.
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        try:
            async with asyncio.timeout(min(self._connect_seconds, silence_seconds)):
                reader, writer = await asyncio.open_connection(
                    place.address,
                    place.port,
                    ssl=self._tls if place.secure else None,
                    server_hostname=place.host if place.secure else None,
                )
        except OSError as failure:  # a TimeoutError is one, too
            raise BrokenOff(type(failure).__name__) from failure
        return _Connection(reader, writer)

    def _keep(self, place: Place, connection: _Connection) -> None:
        connection.used_at = time.monotonic()
        kept = self._kept.setdefault(place, [])
        kept.append(connection)
        if len(kept) > _MOST_KEPT_EACH:
            kept.pop(0).writer.transport.abort()


def request_of(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The bytes of a request. Raises ValueError for what would not stay on its line."""
    told = dict(headers) if body is None else {**headers, "Content-Length": str(len(body))}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    if any("\r" in line or "\n" in line for line in lines) or " " in target:
        raise ValueError("a header or the path holds what does not belong there")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


async def _read(connection: _Connection, answer: _Answer, silence_seconds: float) -> None:
    async with asyncio.timeout(silence_seconds):
        data = await connection.reader.read(_READ_BYTES)
    if data:
        answer.parser.feed_data(data)
    elif not answer.begun or "content-length" in answer.headers or "transfer-encoding" in answer.headers:
        raise BrokenOff("it ended too early")
    else:
        answer.whole = True  # an answer without a length ends with its connection


async def _parts(connection: _Connection, answer: _Answer, silence_seconds: float) -> AsyncIterator[bytes]:
    while True:
        if answer.parts:
            part = b"".join(answer.parts)
            answer.parts.clear()
            yield part
        elif answer.whole:
            return
        else:
            try:
                await _read(connection, answer, silence_seconds)
            except TimeoutError:
                raise
            except (OSError, httptools.HttpParserError) as failure:
                raise BrokenOff(type(failure).__name__) from failure
