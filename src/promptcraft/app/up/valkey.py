"""The embedded Valkey: one UNIX socket, a password, every write in an append-only file."""

import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from promptcraft.app.up.binaries import valkey_server
from promptcraft.app.up.datadir import DataDirectory, open_log
from promptcraft.app.up.errors import ServerFailed
from promptcraft.app.up.privileges import Unprivileged
from promptcraft.app.up.processes import ended, spawn

STOP_SIGNAL = signal.SIGTERM


@dataclass(frozen=True, slots=True)
class Valkey:
    """One server in a data directory and the socket directory it serves in."""

    place: DataDirectory
    sockets: Path
    way: Unprivileged
    fsync: bool = True

    @property
    def log(self) -> Path:
        return self.place.logs / "valkey.log"

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def start(self) -> subprocess.Popen[bytes]:
        """Start it with its settings on standard input: the password is in no argument and in no further file."""
        with open_log(self.log) as output:
            child = spawn(
                [*self.way.prefix, str(valkey_server()), "-"],
                death_signal=STOP_SIGNAL,
                output=output,
                environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                directory=self.place.valkey,
                account=self.way.account,
                stdin=subprocess.PIPE,
            )
        if child.stdin is not None:
            with child.stdin as settings:
                settings.write(self._settings().encode())
        return child

    def _settings(self) -> str:
        lines = {
            "port": "0",
            "unixsocket": f'"{self.socket}"',
            "unixsocketperm": "700",
            "requirepass": self.place.secret("valkey"),
            "dir": f'"{self.place.valkey}"',
            "appendonly": "yes",
            "appendfsync": "everysec" if self.fsync else "no",
            "save": '""',
            # a broker that forgets messages to make room would lose work: refuse writes instead
            "maxmemory-policy": "noeviction",
            "enable-debug-command": "no",
            "enable-module-command": "no",
            "protected-mode": "yes",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    def ready(self, child: subprocess.Popen[bytes]) -> bool:
        """Whether it takes connections; raises ServerFailed when it has ended."""
        if ended(child):
            raise ServerFailed("Valkey did not start", next_step=f"See {self.log}")
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
                # it loads its append-only file after it began to listen, and says so instead of answering
                probe.settimeout(1)
                probe.sendall(f"AUTH {self.place.secret('valkey')}\r\nPING\r\n".encode())
                return b"+PONG" in probe.recv(256)
            except OSError:
                return False

    def url(self) -> str:
        """The address as redis-py writes it, password included."""
        return f"unix://:{self.place.secret('valkey')}@{self.socket}?db=0"
