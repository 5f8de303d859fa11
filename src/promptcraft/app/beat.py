"""The process that keeps time: it sends due work to the workers. One of them leads, by an advisory lock."""

import asyncio
import signal
import time

import psycopg

from promptcraft.app.addresses import needed
from promptcraft.app.process import Process, open_process
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.jobs import DueWork, due_work
from promptcraft.kernel.telemetry import get_logger
from promptcraft.settings import load_settings

_ADVISORY_LOCK = 0x62656174  # "beat"
_EVERY_SECONDS = 1.0
# A message waits for a worker that is free, and may be lost: both take longer than a turn of ours.
_AGAIN_SECONDS = 5.0
_log = get_logger(__name__)


def main(gate: int | None) -> int:
    """Keep time until told to stop."""
    wait_for_gate(gate)
    settings = load_settings()
    core = settings.core
    direct = needed("PROMPTCRAFT_DB_DIRECT_URL", core.db_direct_url or core.db_system_url)
    asyncio.run(_serve(open_process("beat", settings, pool_size=2), direct.replace("postgresql+psycopg", "postgresql")))
    return 0


async def _serve(process: Process, direct_url: str) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    while not stopping.is_set():
        try:
            async with await psycopg.AsyncConnection.connect(direct_url, autocommit=True) as connection:
                await _lead(process, connection, stopping)
        except psycopg.OperationalError as problem:
            _log.warning("the database is away", extra={"error": str(problem)})
            await _pause(stopping)
    await process.close()


async def _lead(process: Process, connection: psycopg.AsyncConnection, stopping: asyncio.Event) -> None:
    """Send what is due, as long as the lock is ours; it ends with the connection."""
    sent: dict[DueWork, float] = {}
    while not stopping.is_set():
        answer = await connection.execute("select pg_try_advisory_lock(%s)", (_ADVISORY_LOCK,))
        leads = (await answer.fetchone() or (False,))[0]
        while leads and not stopping.is_set():
            await connection.execute("select 1")
            sent = await _send_due(process, sent)
            await _pause(stopping)
        await _pause(stopping)


async def _send_due(process: Process, sent: dict[DueWork, float]) -> dict[DueWork, float]:
    """Send what is due and was not sent a moment ago; returns when each was sent."""
    lately = {work: at for work, at in sent.items() if time.monotonic() - at < _AGAIN_SECONDS}
    try:
        for work in await due_work(process.db):
            if work not in lately:
                await asyncio.to_thread(process.queue.send, work.target)
                lately[work] = time.monotonic()
    except (Unavailable, OSError) as problem:
        _log.warning("due work not sent", extra={"error": str(problem)})
    return lately


async def _pause(stopping: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), _EVERY_SECONDS)
    except TimeoutError:
        return
