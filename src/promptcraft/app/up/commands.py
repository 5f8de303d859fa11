"""The commands `up` and `down`: what the person asked for, with the settings, made into a start or a stop."""

import argparse
from collections.abc import Callable

from promptcraft.app.up.boot import Options
from promptcraft.app.up.children import Embedded
from promptcraft.app.up.errors import NotRunning, UpError
from promptcraft.app.up.run import run
from promptcraft.app.up.taking_down import take_down
from promptcraft.app.up.terminal import Terminal
from promptcraft.settings import Settings, SettingsError, load_settings
from promptcraft.settings.handover import handed_over

_REFUSED_SETTINGS = 2
_INTERRUPTED = 130


def start(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    terminal = Terminal(verbose=args.verbose)

    def serve() -> None:
        settings = load_settings()
        for warning in settings.warnings:
            terminal.warning(warning)
        run(_options(args, settings), terminal)

    return _status(terminal, serve)


def stop(args: argparse.Namespace) -> int:
    """Stop the `up` of a data directory; nothing running is no failure."""
    terminal = Terminal()

    def take() -> None:
        try:
            holder = take_down(args.data_dir or load_settings().core.data_dir)
        except NotRunning as nothing:
            terminal.line(str(nothing))
        else:
            terminal.line(f"Stopped (pid {holder})")

    return _status(terminal, take)


def _status(terminal: Terminal, command: Callable[[], None]) -> int:
    try:
        command()
    except UpError as error:
        terminal.refusal(error)
        return error.exit_code
    except SettingsError as error:
        for problem in error.problems:
            terminal.refusal(UpError(f"{problem.name} {problem.problem}", next_step=f"Fix: {problem.fix}"))
        return _REFUSED_SETTINGS
    except OSError as error:
        terminal.refusal(
            UpError(f"{error.filename or 'the host'}: {error.strerror}", next_step="Free it, then try again.")
        )
        return UpError.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _options(args: argparse.Namespace, settings: Settings) -> Options:
    core = settings.core
    if core.owner_url is None and settings.given & {"PROMPTCRAFT_DB_APP_URL", "PROMPTCRAFT_DB_SYSTEM_URL"}:
        raise UpError(
            "addresses of database roles are set, but the database is the embedded one",
            next_step="Set ANALYTICS_DB_URL as well, or unset PROMPTCRAFT_DB_APP_URL and PROMPTCRAFT_DB_SYSTEM_URL.",
        )
    return Options(
        data_dir=(args.data_dir or core.data_dir).expanduser(),
        host=args.host or settings.app.host,
        port=settings.app.port if args.port is None else args.port,
        embedded=Embedded(postgres=core.owner_url is None, valkey=core.redis_address is None),
        environment=handed_over(),
        json=args.output == "json",
        demo=args.demo,
    )
