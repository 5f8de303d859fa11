"""The embedded default: everything on one host, by one command, with nothing set up before."""

import argparse
from pathlib import Path

__all__ = ["add_arguments", "add_down_arguments", "down", "main"]

_HIGHEST_PORT = 65_535


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `up` understands; each option wins over the setting of the same name."""
    _add_data_dir(parser)
    parser.add_argument("--host", help="address to serve at (default 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="port to serve at (default 8000; 0 takes a free one)")
    parser.add_argument("--demo", action="store_true", help="make the demo agent at the first start")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the time line of the start")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="json: one line when ready")


def add_down_arguments(parser: argparse.ArgumentParser) -> None:
    """What `down` understands."""
    _add_data_dir(parser)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to {_HIGHEST_PORT}")
    return int(text)


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="directory of everything this host keeps")


def main(args: argparse.Namespace) -> int:
    """`up`: serve until Ctrl-C or SIGTERM; the exit code is that of the CLI's table."""
    # every role imports this package for its gate, and none of what follows
    from promptcraft.app.up import commands

    return commands.start(args)


def down(args: argparse.Namespace) -> int:
    """`down`: stop the `up` of a data directory; nothing running is no failure."""
    from promptcraft.app.up import commands

    return commands.stop(args)
