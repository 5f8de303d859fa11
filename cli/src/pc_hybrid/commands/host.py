"""Commands about this host: they run the platform's own program and are gone."""

import importlib.util
import os
import sys
from typing import NoReturn

import typer

from pc_hybrid.failures import Failure

_EVERYTHING = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    config = typer.Typer(no_args_is_help=True, help="The platform's settings on this host.")
    app.command("up", context_settings=_EVERYTHING)(up)
    app.command("down", context_settings=_EVERYTHING)(down)
    config.command("validate", context_settings=_EVERYTHING)(validate)
    app.add_typer(config, name="config")


def up(context: typer.Context) -> None:
    """Start the platform on this host and serve until Ctrl-C."""
    run_platform("up", *context.args)


def down(context: typer.Context) -> None:
    """Stop the platform that runs on this host."""
    run_platform("down", *context.args)


def validate(context: typer.Context) -> None:
    """Check the settings that the platform would start with."""
    run_platform("config", "validate", *context.args)


def run_platform(*arguments: str) -> NoReturn:
    """Become the platform's program.

    -P: the current directory is no place to import the platform from.
    """
    if importlib.util.find_spec("promptcraft") is None or importlib.util.find_spec("promptcraft.app") is None:
        raise Failure(
            "the platform is not installed here; this is the command line alone",
            next_step="Install promptcraft-hybrid[embedded] beside it, or talk to a platform elsewhere: "
            "pc-hybrid login --api-url URL",
        )
    os.execv(sys.executable, [sys.executable, "-P", "-m", "promptcraft.app", *arguments])  # noqa: S606 - no shell is meant
