"""The embedded default: everything on one host, by one command, with nothing set up before."""

import argparse
from dataclasses import replace
from pathlib import Path

from promptcraft.app.up.boot import Options
from promptcraft.app.up.children import Embedded
from promptcraft.app.up.errors import NotRunning, UpError
from promptcraft.app.up.run import run
from promptcraft.app.up.taking_down import take_down
from promptcraft.app.up.terminal import Terminal
from promptcraft.settings import Settings, SettingsError, load_settings
from promptcraft.settings.handover import handed_over, runtime_directory

__all__ = ["add_arguments", "add_down_arguments", "down", "main"]

_REFUSED_SETTINGS = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `up` understands; each option wins over the setting of the same name."""
    _add_data_dir(parser)
    parser.add_argument("--host", help="address to serve at (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to serve at (default 8000; 0 takes a free one)")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the time line of the start")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: one line when ready")


def add_down_arguments(parser: argparse.ArgumentParser) -> None:
    """What `down` understands."""
    _add_data_dir(parser)


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="directory of everything this host keeps")


def main(args: argparse.Namespace) -> int:
    """`up`: serve until Ctrl-C or SIGTERM; the exit code is that of the CLI's table."""
    terminal = Terminal(verbose=args.verbose)
    try:
        settings = load_settings()
        for warning in settings.warnings:
            terminal.warning(warning)
        run(_options(args, settings), terminal)
    except (UpError, SettingsError) as error:
        return _refused(terminal, error)
    return 0


def down(args: argparse.Namespace) -> int:
    """`down`: stop the `up` of a data directory; nothing running is no failure."""
    terminal = Terminal()
    try:
        holder = take_down(args.data_dir or load_settings().core.data_dir)
    except NotRunning as nothing:
        terminal.line(str(nothing).capitalize())
        return 0
    except (UpError, SettingsError) as error:
        return _refused(terminal, error)
    terminal.line(f"Stopped (pid {holder})")
    return 0


def _refused(terminal: Terminal, error: UpError | SettingsError) -> int:
    if isinstance(error, UpError):
        terminal.refusal(error)
        return error.exit_code
    for problem in error.problems:
        terminal.refusal(UpError(f"{problem.name} {problem.problem}", next_step=f"Fix: {problem.fix}"))
    return _REFUSED_SETTINGS


def _options(args: argparse.Namespace, settings: Settings) -> Options:
    core = settings.core
    if core.owner_url is None and settings.given & {"PROMPTCRAFT_DB_APP_URL", "PROMPTCRAFT_DB_SYSTEM_URL"}:
        raise UpError(
            "addresses of database roles are set, but the database is the embedded one",
            next_step="Set ANALYTICS_DB_URL as well, or unset PROMPTCRAFT_DB_APP_URL and PROMPTCRAFT_DB_SYSTEM_URL.",
        )
    options = Options(
        data_dir=args.data_dir or core.data_dir,
        host=args.host or settings.app.host,
        port=settings.app.port if args.port is None else args.port,
        embedded=Embedded(postgres=core.owner_url is None, valkey=core.redis_address is None),
        environment=handed_over(),
        runtime_directory=runtime_directory(),
        json=args.output == "json",
    )
    return replace(options, data_dir=options.data_dir.expanduser())
