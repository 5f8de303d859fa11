"""`down`: stops the `up` of a data directory from another terminal."""

import os
import signal
from pathlib import Path

from promptcraft.app.up.datadir import DataDirectory, lock_holder
from promptcraft.app.up.errors import NotRunning, UpError
from promptcraft.app.up.processes import wait_until

_SECONDS = 60


def take_down(root: Path) -> int:
    """Ask the supervisor that holds `root` to stop, wait for it, and give its pid.

    Raises NotRunning when nobody holds the directory.
    """
    place = DataDirectory(root.absolute())
    holder = lock_holder(place)
    if holder is None:
        raise NotRunning(f"Nothing is running on {place.root}", next_step="Start it with `pc-hybrid up`.")
    try:
        os.kill(holder, signal.SIGTERM)
    except PermissionError:
        raise UpError(f"pid {holder} belongs to another user", next_step="Run the command as that user.") from None
    if not wait_until(lambda: lock_holder(place) != holder, _SECONDS):
        raise UpError(f"pid {holder} did not stop within {_SECONDS} s", next_step=f"End it with `kill -9 {holder}`.")
    return holder
