"""The first administrator's password: made once, told once, and not lost when the start fails in between."""

import json
import subprocess
from pathlib import Path
from typing import Any

from promptcraft.app.up.datadir import DataDirectory, write_private
from promptcraft.app.up.errors import RoleFailed


class FirstAdministrator:
    """Between the process that makes the account and the person who is told: a private file."""

    def __init__(self, place: DataDirectory) -> None:
        self._untold = place.secrets / "first-administrator"
        self._known = place.root / "administrator"

    def known(self) -> bool:
        """Whether the account was made, told or not."""
        return self._known.exists() or self._untold.exists()

    def printed(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Keep what `admin bootstrap` printed as its last line: a user name and a password, null if it made none."""
        text = process.stdout.read().decode() if process.stdout else ""
        try:
            administrator: dict[str, Any] = json.loads(text.splitlines()[-1])
        except (IndexError, ValueError):
            raise RoleFailed("the first administrator was not made", next_step=f"See {log}") from None
        write_private(self._untold, json.dumps(administrator) + "\n")

    def untold(self) -> dict[str, Any]:
        """The account that nobody was told of yet, or nothing."""
        return json.loads(self._untold.read_text()) if self._untold.exists() else {}

    def told(self) -> None:
        """Forget the password: it was shown, and only its hash is left."""
        if self._untold.exists():
            write_private(self._known, f"{self.untold()['username']}\n")
            self._untold.unlink()
