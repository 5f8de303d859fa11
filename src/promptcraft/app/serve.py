"""The process that answers HTTP."""

import socket

import uvicorn

from promptcraft.app.api import make_app
from promptcraft.app.edge import at_the_edge
from promptcraft.app.process import open_process
from promptcraft.app.streams import Streams
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.settings import load_settings

_STOP_SECONDS = 6
# Longer than proxies and clients keep an idle connection: who closes it first must be who would send on it.
_KEEP_ALIVE_SECONDS = 75


class _Server(uvicorn.Server):
    """Told to stop, it ends the streams first: who follows goes on at another process, instead of holding this one."""

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)


def main(gate: int | None, listen_fd: int | None) -> int:
    """Serve until told to stop; requests under way get some seconds to end."""
    wait_for_gate(gate)
    settings = load_settings()
    app = make_app(open_process("api", settings))
    config = uvicorn.Config(
        at_the_edge(app, settings.app.trusted_proxies),
        host=settings.app.host,
        port=settings.app.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        proxy_headers=False,  # app/edge.py does that
    )
    sockets = None if listen_fd is None else [socket.socket(fileno=listen_fd)]
    _Server(config, app.state.parts.streams).run(sockets=sockets)
    return 0
