"""`admin`: what an administrator of this host does beside the API."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from promptcraft.app.process import open_process
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.identity import FirstAdministrator, bootstrap
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.settings import Settings, SettingsError, load_settings


def main(argv: Sequence[str]) -> int:
    """Run `admin ...`: `bootstrap` makes the first organisation and its administrator, and prints them as JSON."""
    parser = argparse.ArgumentParser(prog="admin", description="What an administrator of this host does.")
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("bootstrap", help="make the first organisation and its administrator, once")
    first.add_argument("--settings", type=Path, metavar="FILE")
    first.add_argument("--gate", type=int, metavar="FD", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    wait_for_gate(arguments.gate)
    try:
        administrator = asyncio.run(_bootstrap(load_settings(file=arguments.settings)))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    print(administrator.model_dump_json())
    return 0


async def _bootstrap(settings: Settings) -> FirstAdministrator:
    process = open_process("admin", settings)
    try:
        await keep_partitions(process.db)
        return await bootstrap(process.db)
    finally:
        await process.close()
