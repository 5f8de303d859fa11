"""The platform's address, taken before anything slow is started, and what to say when somebody else has it."""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

from promptcraft.app.up.errors import PortTaken, UpError

_BACKLOG = 2048
_LISTENING = "0A"
_CANDIDATES = 50


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on `host:port` (0: a free one), which `serve` inherits: its restart refuses nobody.

    Raises PortTaken with who has the port, and UpError when the address is not this host's or not allowed.
    """
    try:
        return _bound(host, port)
    except socket.gaierror:
        raise UpError(f"{host} is not an address of this host", next_step="Choose another with --host.") from None
    except PermissionError:
        raise UpError(f"port {port} is reserved for root", next_step="Choose one above 1023 with --port.") from None
    except OSError as problem:
        if problem.errno == errno.EADDRNOTAVAIL:
            raise UpError(f"{host} is not an address of this host", next_step="Choose another with --host.") from None
        if problem.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(
            f"port {port} on {host} is in use{_holder(port)}",
            next_step=f"Choose another with --port{_free_port(host, port)}.",
        ) from None


def address_of(listener: socket.socket) -> str:
    """Where a person on this host reaches it."""
    host, port = listener.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host) or str(host)  # noqa: S104 -- what was asked for, not a default
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _free_port(host: str, port: int) -> str:
    for candidate in range(port + 1, min(port + _CANDIDATES, 65_536)):
        try:
            _bound(host, candidate).close()
        except OSError:
            continue
        return f" {candidate}"
    return ""


def _holder(port: int) -> str:
    """` (pid 7, nginx)`, as far as this user may see it."""
    inodes = set(_listening_inodes(port))
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        if _has_open(process, inodes):
            return f" by {_describe(process)}"
    return ""


def _describe(process: Path) -> str:
    try:
        command = (process / "cmdline").read_bytes().split(b"\0")
        name = (process / "comm").read_text().strip()
    except OSError:
        return f"pid {process.name}"
    ours = b"promptcraft.app" in command
    return f"another PromptCraft (pid {process.name})" if ours else f"{name} (pid {process.name})"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _has_open(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(descriptor.readlink()) in sockets for descriptor in (process / "fd").iterdir())
    except OSError:
        return False
