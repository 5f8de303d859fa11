"""Keeps one instance as it is wanted: starts it, waits until it answers, watches it, starts it again, stops it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from promptcraft.kernel.db import Database
from promptcraft.kernel.http import http_client
from promptcraft.kernel.telemetry import get_logger
from promptcraft.runtime.clients import RuntimeDriver
from promptcraft.runtime.errors import AlreadyRunning, IsolationUnavailable, NotRunnable
from promptcraft.runtime.schemas import Handle, ProgramState
from promptcraft.runtime.service.observed import Seen, Wanted, clear_away, observe, tell_usage
from promptcraft.runtime.service.usage import Meter

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a runtime is, in seconds."""

    healthy_within: float = 60.0
    first_looks: float = 0.05
    health_every: float = 5.0
    health_limit: float = 4.0
    unhealthy_after: int = 3
    sample_every: float = 2.0
    usage_every: float = 10.0
    stop_grace: float = 5.0
    restart_first: float = 0.5
    restart_longest: float = 60.0
    stable_after: float = 60.0


class Doors(Protocol):
    """What of the platform a program may call, over sockets of its own: who calls is known by the socket."""

    def open(self, wanted: Wanted) -> AbstractAsyncContextManager[Mapping[str, Path]]:
        """Listen for this program while the block runs; the sockets by their names."""
        ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What every keeper of a host works with."""

    db: Database
    driver: RuntimeDriver
    host: str
    isolated: bool
    pace: Pace
    doors: Doors | None = None


@dataclass(slots=True)
class Keeper:
    """The task of one instance; set `wanted` and then `changed` to have it do something else."""

    wanted: Wanted
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _End:
    """How one run of the program ended, for how long it was healthy, and whether another may end better."""

    outcome: ProgramState
    healthy_seconds: float = 0.0
    again: bool = True


async def keep(ground: Ground, keeper: Keeper) -> None:
    """Do what is wanted until it is gone for good. Cancelled: the program is stopped."""
    while True:
        keeper.changed.clear()
        wanted = keeper.wanted
        if wanted.removed:
            await ground.driver.forget(wanted.id)
            await clear_away(ground.db, wanted)
            if keeper.wanted is wanted:
                return
            continue
        work = asyncio.create_task(_supervise(ground, wanted))
        changed = asyncio.create_task(keeper.changed.wait())
        try:
            await asyncio.wait({work, changed}, return_when=asyncio.FIRST_COMPLETED)
            if not changed.done():
                work.result()  # nothing more to do for this generation; a defect of ours is not swallowed
                await changed
        finally:
            for task in (work, changed):
                task.cancel()
            await asyncio.gather(work, changed, return_exceptions=True)


async def _supervise(ground: Ground, wanted: Wanted) -> None:
    """Run the program again and again, as its restart policy says; returns when it shall stay as it is."""
    restarts = 0
    if wanted.restart_policy == "no" and wanted.observed_generation == wanted.generation:
        await _see(ground, wanted, Seen("stopped", reason="it ended with its runtime, and is not to be restarted"))
        return
    while True:
        end = await _run_once(ground, wanted, restarts)
        well = end.outcome.exit_code == 0
        state = "stopped" if well and wanted.restart_policy == "no" else "failed"
        ended = Seen(state, restarts=restarts, exit_code=end.outcome.exit_code, reason=end.outcome.reason)
        await _see(ground, wanted, ended)
        if wanted.restart_policy == "no" or not end.again:
            return
        if end.healthy_seconds >= ground.pace.stable_after:
            restarts = 0
        await asyncio.sleep(min(ground.pace.restart_longest, ground.pace.restart_first * 2**restarts))
        restarts += 1


async def _run_once(ground: Ground, wanted: Wanted, restarts: int) -> _End:
    await _see(ground, wanted, Seen("starting", restarts=restarts))
    try:
        async with _sockets(ground, wanted) as sockets:
            return await _start_and_keep(ground, wanted, sockets, restarts)
    except (IsolationUnavailable, NotRunnable, AlreadyRunning) as refused:
        return _End(ProgramState(running=False, reason=refused.detail), again=False)


@asynccontextmanager
async def _sockets(ground: Ground, wanted: Wanted) -> AsyncGenerator[Mapping[str, Path]]:
    if ground.doors is None:
        yield {}
        return
    async with ground.doors.open(wanted) as sockets:
        yield sockets


async def _start_and_keep(ground: Ground, wanted: Wanted, sockets: Mapping[str, Path], restarts: int) -> _End:
    try:
        handle = await ground.driver.start(wanted.spec.model_copy(update={"extra_sockets": sockets}))
    except OSError as failure:
        return _End(ProgramState(running=False, reason=f"it could not be started: {failure.strerror}"))
    outcome: ProgramState | None = None
    healthy_seconds = 0.0
    try:
        async with _client(handle) as client, _metered(ground, wanted, handle):
            if await _becomes_healthy(ground, handle, client):
                began = time.monotonic()
                await _watch(ground, wanted, handle, client, restarts)
                healthy_seconds = time.monotonic() - began
            elif (await ground.driver.state(handle)).running:
                reason = f"it did not answer on its socket within {ground.pace.healthy_within:g} s"
                outcome = ProgramState(running=False, reason=reason)
    finally:
        stopped = await ground.driver.stop(handle, ground.pace.stop_grace)
    return _End(outcome or stopped, healthy_seconds)


async def _becomes_healthy(ground: Ground, handle: Handle, client: httpx.AsyncClient) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(ground.pace.healthy_within):
            while (await ground.driver.state(handle)).running:
                if await _answers(client, ground.pace.health_limit):
                    return True
                await asyncio.sleep(ground.pace.first_looks)
    return False


async def _watch(ground: Ground, wanted: Wanted, handle: Handle, client: httpx.AsyncClient, restarts: int) -> None:
    """Say how it is until it has ended."""
    healthy, failures = Seen("healthy", handle.socket, handle.pid, restarts), 0
    current = healthy
    await _see(ground, wanted, current)
    ended = asyncio.create_task(ground.driver.wait(handle))
    try:
        while not (await asyncio.wait({ended}, timeout=ground.pace.health_every))[0]:
            failures = 0 if await _answers(client, ground.pace.health_limit) else failures + 1
            reason = f"it has not answered {failures} times"
            unhealthy = Seen("unhealthy", handle.socket, handle.pid, restarts, reason=reason)
            seen = unhealthy if failures >= ground.pace.unhealthy_after else healthy if failures == 0 else current
            if seen.state != current.state:
                await _see(ground, wanted, seen)
            current = seen
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)


async def _see(ground: Ground, wanted: Wanted, seen: Seen) -> None:
    _log.info(
        "%s %s in %s: %s", wanted.name, wanted.version, wanted.environment, seen.state,
        extra={"instance": str(wanted.id), "reason": seen.reason},
    )  # fmt: skip
    await observe(ground.db, wanted, seen, isolated=ground.isolated)


@asynccontextmanager
async def _client(handle: Handle) -> AsyncGenerator[httpx.AsyncClient]:
    async with http_client(base_url="http://localhost:8080", socket=str(handle.socket), connections=1) as client:
        yield client


async def _answers(client: httpx.AsyncClient, limit: float) -> bool:
    """Whether /health says well in time. What it says beyond that is not read: it may be without end."""
    try:
        async with asyncio.timeout(limit), client.stream("GET", "/health") as response:
            return response.is_success
    except (httpx.HTTPError, TimeoutError):
        return False


@asynccontextmanager
async def _metered(ground: Ground, wanted: Wanted, handle: Handle) -> AsyncGenerator[None]:
    """Count and tell what the program uses while the block runs, the rest at its end."""
    meter = Meter()

    async def count() -> None:
        told = time.monotonic()
        while True:
            await asyncio.sleep(ground.pace.sample_every)
            meter.sample(await ground.driver.usage(handle))
            if time.monotonic() - told >= ground.pace.usage_every:
                told = time.monotonic()
                await tell_usage(ground.db, wanted, meter.take())

    counting = asyncio.create_task(count())
    try:
        yield
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        meter.sample(await ground.driver.usage(handle))
        await tell_usage(ground.db, wanted, meter.take())
