"""Commands about this host: they run the platform's own program, and become it.

Options are named here for --help alone, which must not wait for the platform to be imported; others are handed on.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from pc_hybrid.failures import Failure
from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

_HAND_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

DataDir = Annotated[Path | None, typer.Option(metavar="DIR", help="The directory of everything that this host keeps.")]


TextOrJson = Annotated[Literal["text", "json"] | None, typer.Option("--output", "-o", help="How data is printed.")]


def register(app: typer.Typer) -> None:
    config = typer.Typer(no_args_is_help=True, help="Settings: of this command line, and of the platform on this host.")
    app.command("up", context_settings=_HAND_ON)(up)
    app.command("down", context_settings=_HAND_ON)(down)
    config.command("validate", context_settings=_HAND_ON)(validate)
    command(config, "view")(view)
    app.add_typer(config, name="config")
    admin = typer.Typer(no_args_is_help=True, help="First aid on the platform's host.")
    admin.command("reset-password", context_settings=_HAND_ON)(reset_password)
    app.add_typer(admin, name="admin")
    keys = typer.Typer(no_args_is_help=True, help="The keys that access tokens are signed with.")
    keys.command("rotate", context_settings=_HAND_ON)(rotate_keys)
    app.add_typer(keys, name="keys")


def up(
    context: typer.Context,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="The address to serve at; 127.0.0.1 when left out.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to serve at; 8000 when left out, 0: a free one.")] = None,
    output: Annotated[
        Literal["text", "json"] | None, typer.Option("--output", "-o", help="json: one line when ready.")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make the demo agent at the first start.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print the time line of the start.")] = False,
) -> None:
    """Start the platform on this host and serve until Ctrl-C."""
    given = _given({"--data-dir": data_dir, "--host": host, "--port": port, "--output": output})
    run_platform("up", *given, *["--demo"] * demo, *["--verbose"] * verbose, *context.args)


def down(context: typer.Context, data_dir: DataDir = None) -> None:
    """Stop the platform that runs on this host."""
    run_platform("down", *_given({"--data-dir": data_dir}), *context.args)


def validate(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A settings file: TOML, or lines of NAME=value.")
    ] = None,
    output: Annotated[
        Literal["table", "json"] | None, typer.Option("--output", "--format", "-o", help="How data is printed.")
    ] = None,
) -> None:
    """Check the settings that the platform would start with."""
    run_platform("config", "validate", *_given({"--settings": settings, "--output": output}), *context.args)


def view(
    terminal: Terminal,
    show_origin: Annotated[
        bool, typer.Option("--show-origin", help="Say of each where it came from: option, variable, file or default.")
    ] = False,
) -> None:
    """Show what this command line goes by. Secrets are masked."""
    from pc_hybrid.work import contexts

    contexts.view(terminal, show_origin=show_origin)


def reset_password(
    context: typer.Context,
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="Who lost it.")],
    remove_second_factor: Annotated[
        bool, typer.Option("--remove-second-factor", help="For somebody who lost that, too.")
    ] = False,
    data_dir: DataDir = None,
    output: TextOrJson = None,
) -> None:
    """Give somebody a new password, and print it, once; all their sessions end. For the owner of the host."""
    options = _given({"--data-dir": data_dir, "--output": output})
    options += ["--remove-second-factor"] * remove_second_factor
    run_platform("admin", "reset-password", *options, *context.args, "--", username)


def rotate_keys(context: typer.Context, data_dir: DataDir = None, output: TextOrJson = None) -> None:
    """Sign access tokens with the next key from now on. Those that are out stay valid until they end."""
    run_platform("keys", "rotate", *_given({"--data-dir": data_dir, "--output": output}), *context.args)


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
    os.execv(sys.executable, [sys.executable, "-P", "-m", "promptcraft.app", *arguments])  # noqa: S606  no shell is meant


def _given(options: dict[str, object]) -> list[str]:
    """The options as arguments again; what was left out is for the platform to decide."""
    return [part for option, value in options.items() if value is not None for part in (option, str(value))]
