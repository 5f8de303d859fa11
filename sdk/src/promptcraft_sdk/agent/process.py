"""The process an agent runs in: where it listens, and what the environment says about it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from promptcraft_sdk.agent.model import SOCKET

# what a client over a UNIX socket calls the host, and the names of this machine
_OWN_NAMES = ("agent", "localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Process:
    """Where to listen: on the UNIX socket if there is one, else on host and port.

    Read from AGENT_SOCKET, AGENT_HOST (default 127.0.0.1), AGENT_PORT (default 8080), AGENT_ALLOWED_HOSTS (further
    values of the Host header to answer, separated by commas), AGENT_COMMIT (where the repository is not at hand) and
    PLATFORM_SOCKETS (the directory of the platform's sockets; `models` is the one that models are asked by).
    """

    socket: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    allowed_hosts: tuple[str, ...] = ()
    commit: str | None = None
    models: Path | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Process":
        named = environment.get("AGENT_ALLOWED_HOSTS", "").split(",")
        models = Path(environment.get("PLATFORM_SOCKETS") or ".") / SOCKET
        return cls(
            models=models if models.is_socket() else None,
            socket=environment.get("AGENT_SOCKET") or None,
            host=environment.get("AGENT_HOST") or "127.0.0.1",
            port=int(environment.get("AGENT_PORT") or 8080),
            allowed_hosts=tuple(host.strip() for host in named if host.strip()),
            commit=environment.get("AGENT_COMMIT") or None,
        )

    @classmethod
    def of_this_one(cls) -> "Process":
        return cls.of(os.environ)  # noqa: TID251 - an agent is its own program: no settings model reaches it

    @property
    def security(self) -> TransportSecuritySettings:
        """Answer only to these hosts: a web page that resolves to this machine is refused."""
        hosts = [*_OWN_NAMES, *self.allowed_hosts]
        return TransportSecuritySettings(
            allowed_hosts=[*hosts, *(f"{host}:*" for host in hosts)],
            allowed_origins=[f"http://{host}{port}" for host in hosts for port in ("", ":*")],
        )

    def serve(self, build: Callable[[TransportSecuritySettings], ASGIApp]) -> None:
        """Serve until told to stop."""
        uvicorn.run(
            build(self.security),
            uds=self.socket,
            host=self.host,
            port=self.port,
            ws="none",
            access_log=False,
            log_level="warning",
        )
