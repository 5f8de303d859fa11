"""`up`: everything on one host, from nothing to an answer, and back to nothing."""

import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

from promptcraft.app.up import datadir
from promptcraft.app.up.boot import Options, Start
from promptcraft.app.up.datadir import DataDirectory
from promptcraft.app.up.errors import StopRequested
from promptcraft.app.up.leftovers import clear_leftovers
from promptcraft.app.up.listening import address_of, listen
from promptcraft.app.up.signals import pause, signals_taken
from promptcraft.app.up.sockets import socket_directory
from promptcraft.app.up.supervisor import Supervisor
from promptcraft.app.up.terminal import Terminal

# the door first, then those who work behind it, then what they work on
_STOP_ORDER = (("serve",), ("worker", "beat", "runtime"), ("valkey", "postgres"))


def run(options: Options, terminal: Terminal) -> None:
    """Start everything, keep it alive until Ctrl-C, SIGTERM or SIGHUP, and stop it in order.

    Raises UpError when something cannot be started; whatever had been started is ended before.
    """
    with signals_taken():
        try:
            _run(options, terminal)
        except StopRequested:
            terminal.line("Stopped.")


def _run(options: Options, terminal: Terminal) -> None:
    with ExitStack() as cleanup:
        place = datadir.claim(options.data_dir)
        cleanup.enter_context(datadir.locked(place))
        listener = cleanup.enter_context(listen(options.host, options.port))
        datadir.furnish(place)
        clear_leftovers(place, pause)
        _rotate_logs(place)
        sockets = cleanup.enter_context(socket_directory())
        host, port = listener.getsockname()[:2]
        state: dict[str, Any] = {"host": host, "port": port, "url": address_of(listener), "sockets": str(sockets)}
        supervisor = Supervisor(place, terminal, state)
        supervisor.remember()
        cleanup.enter_context(_stopping(supervisor, terminal))
        terminal.moment("data directory is ours")
        Start(options, terminal, place, supervisor, listener).boot(sockets)
        supervisor.keep()


@contextmanager
def _stopping(supervisor: Supervisor, terminal: Terminal) -> Generator[None]:
    try:
        yield
    except StopRequested:
        terminal.line("Stopping ...")
        raise
    finally:
        began = time.monotonic()
        supervisor.stop(_STOP_ORDER)
        supervisor.place.state_file.unlink(missing_ok=True)
        terminal.moment(f"stopped in {time.monotonic() - began:.1f} s")


def _rotate_logs(place: DataDirectory) -> None:
    """Keep the last start's logs as `.1`."""
    for log in place.logs.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))
