"""The process that is the parent of this host's agents."""

import asyncio
import signal

from promptcraft.app.doors import ModelDoors, agents_asgi
from promptcraft.app.engines import driver_of, places_of
from promptcraft.app.process import open_process
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.gateway import open_gateway
from promptcraft.kernel.context import WorkContext, enter, host_name
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.wakeups import woken
from promptcraft.runtime import WAKEUP, host_place, run_host
from promptcraft.settings import Settings, load_settings


def main(gate: int | None) -> int:
    """Run this host's agents until told to stop."""
    wait_for_gate(gate)
    asyncio.run(_serve(load_settings()))
    return 0


async def _serve(settings: Settings) -> None:
    process = open_process("runtime", settings, pool_size=4)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    places = places_of(settings, commands_only=False)
    place = host_place(places)
    driver = driver_of(settings, commands_only=False)
    gateway = open_gateway(process.db, settings.gateway, master_key=process.master_key)
    doors = ModelDoors(agents_asgi(process, gateway), places.socket_directory)
    identifier = str(new_id())
    with enter(WorkContext("runtime", identifier, identifier)):
        async with woken(process.redis, WAKEUP.kind) as event:
            await run_host(process.db, driver, host_name(), place, woken=event, stopping=stopping, doors=doors)
    await gateway.close()
    await process.close()
