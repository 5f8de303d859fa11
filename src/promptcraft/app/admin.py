"""First aid on this host: the first organisation and its administrator."""

import asyncio

from promptcraft.app.process import open_process
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.identity import FirstAdministrator, bootstrap
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.settings import Settings, load_settings


def main(gate: int | None) -> int:
    """Make the first organisation and its administrator where there is none, and print them as one line of JSON.

    The password is null once somebody has signed in with it.
    """
    wait_for_gate(gate)
    print(asyncio.run(_bootstrap(load_settings())).model_dump_json())
    return 0


async def _bootstrap(settings: Settings) -> FirstAdministrator:
    process = open_process("admin", settings)
    try:
        await keep_partitions(process.db)
        return await bootstrap(process.db)
    finally:
        await process.close()
