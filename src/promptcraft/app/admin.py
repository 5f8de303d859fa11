"""First aid on this host: the first organisation and its administrator, a password that was lost, the signing keys."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from getpass import getuser
from pathlib import Path
from typing import TypeVar

from promptcraft.app.process import Process, open_process
from promptcraft.app.up.errors import UpError
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.app.up.reaching import settings_here
from promptcraft.identity import bootstrap, open_identity, reset_password
from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.settings import Settings, load_settings

T = TypeVar("T")
_NOT_FOUND = 3


def main(gate: int | None) -> int:
    """Make the first organisation and its administrator where there is none, and print them as one line of JSON.

    The password is null once somebody has signed in with it.
    """
    wait_for_gate(gate)

    async def make(process: Process) -> str:
        await keep_partitions(process.db)
        return (await bootstrap(process.db)).model_dump_json()

    print(asyncio.run(_with_process(load_settings(), make)))
    return 0


def reset(username: str, data_dir: Path | None, output: str, *, remove_second_factor: bool) -> int:
    """Give a user a new password, and print it, once."""

    async def give(process: Process) -> str:
        given = await reset_password(process.db, username, getuser(), remove_second_factor=remove_second_factor)
        return given.model_dump_json() if output == "json" else str(given.password)

    return _aid(data_dir, give)


def rotate_keys(data_dir: Path | None, output: str) -> int:
    """Sign access tokens with the next key from now on, and print which that is."""

    async def rotate(process: Process) -> str:
        settings = process.settings
        identity = open_identity(
            process.db, process.redis, settings.identity, issuer=settings.app.address, master_key=process.master_key
        )
        kid = await identity.keys.rotate()
        published = [key["kid"] for key in (await identity.keys.published()).keys]
        if output == "json":
            return json.dumps({"current": kid, "published": published})
        return f"Access tokens are signed with {kid} from now on; published: {', '.join(published)}"

    return _aid(data_dir, rotate)


def _aid(data_dir: Path | None, work: Callable[[Process], Awaitable[str]]) -> int:
    try:
        print(asyncio.run(_with_process(settings_here(data_dir), work)))
    except UpError as refusal:
        print(f"Error: {refusal}\nTry:  {refusal.next_step}", file=sys.stderr)
        return refusal.exit_code
    except PlatformError as refusal:
        print(f"Error: {refusal.detail}\nNext: {refusal.next_step}", file=sys.stderr)
        return _NOT_FOUND if refusal.status == 404 else 1
    return 0


async def _with_process(settings: Settings, work: Callable[[Process], Awaitable[T]]) -> T:
    process = open_process("admin", settings)
    try:
        return await work(process)
    finally:
        await process.close()
