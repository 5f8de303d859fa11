"""doctor."""

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal


def register(app: typer.Typer) -> None:
    command(app, "doctor")(doctor)


def doctor(terminal: Terminal) -> None:
    """Look for what is wrong between you and the platform, and on this host, and say what to do about each.

    Exit code 0 where nothing is, 1 where something is.
    """
    from pc_hybrid.work import health

    health.doctor(terminal)
