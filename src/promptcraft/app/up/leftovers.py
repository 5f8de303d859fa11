"""What a supervisor that was killed may have left: children that are still ending, and its socket directory."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from promptcraft.app.up.datadir import DataDirectory, read_state
from promptcraft.app.up.processes import Identity, Pause, wait_until
from promptcraft.app.up.sockets import remove_socket_directory

_GRACE_SECONDS = 10


def clear_leftovers(place: DataDirectory, pause: Pause = time.sleep) -> None:
    """Wait for the last supervisor's children to end, end those that do not, and remove its sockets.

    Two servers on one data directory would ruin it, so nothing may start before this returns. The kernel has told them
    to end already; the wait is the time that PostgreSQL takes for its shutdown.
    """
    state = read_state(place)
    children = list(_children(state))
    if not wait_until(lambda: not _alive(children), _GRACE_SECONDS, pause):
        for child in _alive(children):
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        wait_until(lambda: not _alive(children), _GRACE_SECONDS, pause)
    if isinstance(state.get("sockets"), str):
        remove_socket_directory(Path(state["sockets"]))
    place.state_file.unlink(missing_ok=True)


def _children(state: dict[str, Any]) -> Iterable[Identity]:
    for child in state.get("children", {}).values():
        yield Identity(int(child["pid"]), int(child["started"]))


def _alive(children: Iterable[Identity]) -> list[Identity]:
    return [child for child in children if child.alive()]
