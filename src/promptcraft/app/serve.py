"""The process that answers HTTP."""

import socket

import uvicorn

from promptcraft.app.api import make_asgi
from promptcraft.app.process import open_process
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.settings import load_settings

_STOP_SECONDS = 6
# Longer than proxies and clients keep an idle connection: who closes it first must be who would send on it.
_KEEP_ALIVE_SECONDS = 75


def main(gate: int | None, listen_fd: int | None) -> int:
    """Serve until told to stop; requests under way get some seconds to end."""
    wait_for_gate(gate)
    settings = load_settings()
    config = uvicorn.Config(
        make_asgi(open_process("api", settings)),
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
    uvicorn.Server(config).run(sockets=sockets)
    return 0
