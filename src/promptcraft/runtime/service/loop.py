"""The runtime of a host: under its lease, makes what is desired so until it is told to stop."""

import asyncio
import time
from contextlib import suppress
from uuid import UUID

from promptcraft.kernel.db import Database
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.telemetry import get_logger
from promptcraft.runtime.clients import RuntimeDriver
from promptcraft.runtime.schemas import IsolationReport
from promptcraft.runtime.service.hosts import Claim, give_back, renew, take
from promptcraft.runtime.service.keeper import Doors, Ground, Keeper, Pace, keep
from promptcraft.runtime.service.observed import Wanted, assigned, begin

_LOOK_SECONDS = 1.0
_RENEW_SECONDS = 2.5
_log = get_logger(__name__)


class LeaseLost(Exception):
    """Another process became this host's runtime: programs of this one were stopped."""


async def run_host(
    db: Database,
    driver: RuntimeDriver,
    host: str,
    place: str,
    *,
    woken: asyncio.Event,
    stopping: asyncio.Event,
    pace: Pace | None = None,
    doors: Doors | None = None,
) -> None:
    """Be the runtime of `host` until `stopping` is set; every program is stopped before this returns.

    `place` names the directory and the boot that the driver holds by its lock (host_place): a successor in the same
    place need not wait for a dead predecessor's lease. `woken` is set when there is something to look at; it is looked
    every second anyway. `doors` are what of the platform each program may call. Raises LeaseLost.
    """
    report = await driver.probe()
    claim = Claim(host, place, new_id())
    try:
        if await _taken(db, claim, report, stopping):
            ground = Ground(db, driver, host, report.isolated, pace or Pace(), doors)
            await _serve(ground, claim, woken, stopping)
    finally:
        await driver.close()


async def _taken(db: Database, claim: Claim, report: IsolationReport, stopping: asyncio.Event) -> bool:
    """Wait for the host's lease; False when told to stop before it came."""
    waiting_for = ""
    while not stopping.is_set():
        try:
            if await take(db, claim, report):
                return True
            reason = "another runtime has this host"
        except Unavailable as failure:
            reason = failure.detail
        if reason != waiting_for:
            _log.warning("waiting for the host's lease: %s", reason)
            waiting_for = reason
        await _pause(asyncio.Event(), stopping)
    return False


async def _serve(ground: Ground, claim: Claim, woken: asyncio.Event, stopping: asyncio.Event) -> None:
    keepers: dict[UUID, Keeper] = {}
    renewed = time.monotonic()
    try:
        await _begin(ground, stopping)
        while not stopping.is_set():
            try:
                if time.monotonic() - renewed >= _RENEW_SECONDS:
                    if not await renew(ground.db, claim):
                        raise LeaseLost(f"another process is the runtime of {claim.host} now")
                    renewed = time.monotonic()
                _reconcile(ground, keepers, await assigned(ground.db, claim.host))
            except Unavailable:
                _log.warning("what is desired is not known: the database is away")
            await _pause(woken, stopping)
    finally:
        await _stop(keepers)
        with suppress(Unavailable):
            await give_back(ground.db, claim)


async def _begin(ground: Ground, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            await begin(ground.db, ground.host)
        except Unavailable:
            await _pause(asyncio.Event(), stopping)
        else:
            return


def _reconcile(ground: Ground, keepers: dict[UUID, Keeper], wanted: list[Wanted]) -> None:
    """Give every instance its keeper, tell keepers what changed, end those of instances that another host has now,
    forget those that have finished.
    """
    for each in [key for key, keeper in keepers.items() if keeper.task and keeper.task.done()]:
        task = keepers.pop(each).task
        failure = task.exception() if task and not task.cancelled() else None
        if failure is not None:
            _log.error("keeping an instance failed; it is begun again", exc_info=failure, extra={"instance": str(each)})
    for each in keepers.keys() - {instance.id for instance in wanted}:
        task = keepers[each].task
        if task and not task.cancelling():
            task.cancel()
    for instance in wanted:
        keeper = keepers.get(instance.id)
        if keeper is None:
            keeper = keepers[instance.id] = Keeper(instance)
            keeper.task = asyncio.create_task(keep(ground, keeper))
        elif keeper.wanted.generation != instance.generation:
            keeper.wanted = instance
            keeper.changed.set()


async def _stop(keepers: dict[UUID, Keeper]) -> None:
    tasks = [keeper.task for keeper in keepers.values() if keeper.task]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pause(woken: asyncio.Event, stopping: asyncio.Event) -> None:
    """A second, or less when there is something to do."""
    waits = [asyncio.create_task(event.wait()) for event in (woken, stopping)]
    await asyncio.wait(waits, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    woken.clear()
