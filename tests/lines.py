"""Lines to the servers that a test can cut, as a network or a server that died would."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from promptcraft.app.up.servers import EmbeddedServers, Urls


@dataclass
class Line:
    """Passes on what comes to the socket `here`, to the socket `there`, while it is neither cut nor held."""

    here: Path
    there: Path
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self) -> None:
        """Let nothing through, and tell nobody: as a server that hangs."""
        self._flowing.clear()

    def release(self) -> None:
        self._flowing.set()

    async def mend(self) -> None:
        self.release()
        self._server = await asyncio.start_unix_server(self._pass_on, self.here)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.here.unlink(missing_ok=True)
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()
        self.release()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = self._server
        far_reader, far_writer = await asyncio.open_unix_connection(self.there)
        if server is None or server is not self._server:  # cut meanwhile
            writer.transport.abort()
            far_writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        self._tasks |= {
            asyncio.create_task(self._pour(reader, far_writer)),
            asyncio.create_task(self._pour(far_reader, writer)),
        }

    async def _pour(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(part)
                await writer.drain()
        writer.close()


@dataclass(frozen=True)
class Lines:
    """The servers as they are at the other end of two lines."""

    urls: Urls
    database: Line
    redis: Line


@asynccontextmanager
async def lines_to(servers: EmbeddedServers, urls: Urls) -> AsyncIterator[Lines]:
    far = servers.postgres.sockets
    near = Path(tempfile.mkdtemp(prefix="pc-line-"))
    sockets = [next(far.glob(".s.PGSQL.*[0-9]")), servers.valkey.socket]
    database, redis = (Line(near / socket.name, socket) for socket in sockets)
    moved = {name: getattr(urls, name).replace(str(far), str(near)) for name in ("owner", "app", "system", "redis")}
    await database.mend()
    await redis.mend()
    try:
        yield Lines(replace(urls, **moved), database, redis)
    finally:
        await database.cut()
        await redis.cut()
        shutil.rmtree(near)
