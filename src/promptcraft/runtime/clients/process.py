"""The `process` driver: every program a child of this process, behind bubblewrap, with nothing of the host in reach."""

import asyncio
import os
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from promptcraft.kernel.telemetry import get_logger
from promptcraft.runtime.clients import cgroup, isolation, output
from promptcraft.runtime.clients.bubblewrap import SOCKET_NAME
from promptcraft.runtime.clients.launch import find_tools
from promptcraft.runtime.clients.places import LONGEST_SOCKET_PATH, HostPlaces, claim, name_of_run, of_the_living, visit
from promptcraft.runtime.clients.reaper import Reaper
from promptcraft.runtime.clients.sandbox import Confined, Host, Way, confine, end, outcome_of, usage_of
from promptcraft.runtime.errors import AlreadyRunning, IsolationUnavailable, NotRunnable
from promptcraft.runtime.schemas import CompletedRun, Handle, InstanceSpec, IsolationReport, ProgramState, Usage

_TICK_SECONDS = 0.02
_DRAIN_SECONDS = 1.0
_UNKNOWN = ProgramState(running=False, reason="not started by this runtime")
_log = get_logger(__name__)


@dataclass(slots=True)
class _Program:
    """One program of this driver: its process, what watches over it, and how it ended."""

    confined: Confined
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    ending: asyncio.Task[ProgramState] | None = None
    ended: ProgramState | None = None


class ProcessDriver:
    """RuntimeDriver over bubblewrap; driver.py says what each call promises.

    One that is not `exclusive` is for commands alone, beside others in the same places: it probes by itself before the
    first, and clears up nothing but what processes that are gone left there.
    """

    def __init__(self, places: HostPlaces, *, allow_unisolated: bool = False, exclusive: bool = True) -> None:
        self._exclusive = exclusive
        self._probing = asyncio.Lock()
        tools = find_tools()
        self._host = Host(tools, cgroup.ControlGroups(()), places, Reaper(tools.shell))
        self._allow_unisolated = allow_unisolated
        self._way: Way | None = None
        self._programs: dict[UUID, _Program] = {}
        self._lock: int | None = None

    async def probe(self) -> IsolationReport:
        places = self._host.places
        if self._exclusive:
            self._lock = await asyncio.to_thread(claim, places)
        else:
            await asyncio.to_thread(visit, places)
        groups = await asyncio.to_thread(cgroup.find, places.runtime_directory)
        await asyncio.to_thread(groups.sweep, None if self._exclusive else of_the_living)
        hidden = isolation.guarded_files(self._host)
        self._host = replace(self._host, groups=groups, places=replace(places, hidden=hidden))
        self._way, report = await isolation.find_way(self._host)
        for warning in report.warnings:
            _log.warning("isolation: %s", warning)
        return report

    async def clear_up(self) -> None:
        places = self._host.places
        await asyncio.to_thread(visit, places)
        groups = await asyncio.to_thread(cgroup.found_again, places.runtime_directory)
        await asyncio.to_thread(groups.sweep, of_the_living)
        self._host = replace(self._host, groups=groups)

    async def start(self, spec: InstanceSpec) -> Handle:
        known = self._programs.get(spec.instance_id)
        if known is not None:
            if known.ending is None:
                raise AlreadyRunning(f"instance {spec.instance_id} of {spec.name} already runs")
            await asyncio.wait({known.ending})
        way = self._allowed(spec)
        name = str(spec.instance_id)
        published = self._published(spec.instance_id)
        if len(os.fsencode(published.parent / name / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
            raise NotRunnable("the path of its socket is too long", next_step="Use a shorter directory for sockets.")
        confined = await confine(self._host, way, spec, spec.argv, name, listens=True, stderr=subprocess.STDOUT)
        program = self._programs[spec.instance_id] = _Program(confined)
        if confined.process.stdout is not None:
            keeping = output.keep(confined.process.stdout, self._log_file(spec.instance_id))
            program.tasks.append(asyncio.create_task(keeping))
        publishing = _publish(confined, published.parent / name / SOCKET_NAME, published)
        program.tasks.append(asyncio.create_task(publishing))
        return Handle(instance_id=spec.instance_id, socket=published, pid=confined.pid)

    async def stop(self, handle: Handle, grace_seconds: float) -> ProgramState:
        program = self._programs.get(handle.instance_id)
        if program is None:
            return _UNKNOWN
        if program.ending is None:
            program.ending = asyncio.create_task(self._end(program, handle, grace_seconds))
        # begun, it is carried through, whether or not the caller waits for it
        return await asyncio.shield(program.ending)

    async def state(self, handle: Handle) -> ProgramState:
        program = self._programs.get(handle.instance_id)
        if program is None:
            return _UNKNOWN
        return program.ended or await asyncio.to_thread(outcome_of, program.confined)

    async def wait(self, handle: Handle) -> ProgramState:
        program = self._programs.get(handle.instance_id)
        if program is not None:
            await program.confined.process.wait()
            # What it printed last is still on its way to the log; who started a child that holds on is not waited for.
            if program.tasks:
                await asyncio.wait(program.tasks, timeout=_DRAIN_SECONDS)
        return await self.state(handle)

    async def usage(self, handle: Handle) -> Usage | None:
        program = self._programs.get(handle.instance_id)
        return None if program is None else await asyncio.to_thread(usage_of, program.confined)

    async def run(self, spec: InstanceSpec, argv: Sequence[str], timeout: float) -> CompletedRun:
        async with self._probing:
            if self._way is None and not self._exclusive:
                await self.probe()
        way, name, began = self._allowed(spec), name_of_run(), time.monotonic()
        confined = await confine(self._host, way, spec, argv, name, listens=False, stderr=subprocess.PIPE)
        process = confined.process
        if process.stdout is None or process.stderr is None:
            raise NotRunnable("its output is not connected")
        streams = asyncio.gather(output.tail_of(process.stdout), output.tail_of(process.stderr))
        timed_out = False
        try:
            await asyncio.wait_for(process.wait(), timeout)
        except TimeoutError:
            timed_out = True
        finally:
            outcome = await end(self._host, confined, name, 0)
            stdout, stderr = await streams
        return CompletedRun(
            exit_code=None if timed_out else outcome.exit_code,
            stdout=stdout,
            stderr=stderr,
            seconds=time.monotonic() - began,
            reason=f"not finished after {timeout:g} s" if timed_out else outcome.reason,
        )

    async def logs(self, instance_id: UUID, lines: int) -> list[str]:
        return await asyncio.to_thread(output.last_lines, self._log_file(instance_id), lines)

    async def forget(self, instance_id: UUID) -> None:
        await self.stop(self._handle(instance_id), 0)
        self._programs.pop(instance_id, None)
        await asyncio.to_thread(output.forget, self._log_file(instance_id))

    async def close(self) -> None:
        await asyncio.gather(*(self.stop(self._handle(each), 0) for each in self._programs))
        await self._host.reaper.close()
        await asyncio.to_thread(self._host.groups.close)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _end(self, program: _Program, handle: Handle, grace_seconds: float) -> ProgramState:
        await asyncio.to_thread(handle.socket.unlink, missing_ok=True)
        program.ended = await end(self._host, program.confined, str(handle.instance_id), grace_seconds)
        await asyncio.gather(*program.tasks, return_exceptions=True)
        await asyncio.to_thread(handle.socket.unlink, missing_ok=True)
        return program.ended

    def _allowed(self, spec: InstanceSpec) -> Way:
        if self._way is None:
            raise IsolationUnavailable("the isolation of this host has not been probed yet")
        if self._way.separation == "none" and not (spec.trusted_template or self._allow_unisolated):
            raise IsolationUnavailable
        return self._way

    def _handle(self, instance_id: UUID) -> Handle:
        return Handle(instance_id=instance_id, socket=self._published(instance_id), pid=0)

    def _published(self, instance_id: UUID) -> Path:
        return self._host.places.socket_directory / f"{instance_id}.sock"

    def _log_file(self, instance_id: UUID) -> Path:
        return output.log_file(self._host.places.log_directory, instance_id)


async def _publish(confined: Confined, inside: Path, published: Path) -> None:
    """Give the socket a second name, out of the program's reach, as soon as it is there.

    The program may write its own directory, and could put a link to another socket in the place of its own: nobody but
    this function may follow that path. The second name is of the socket itself, and the directory is closed behind it.
    """
    while confined.process.returncode is None:
        if await asyncio.to_thread(_take_over, inside, published, seal=confined.uid is not None):
            return
        await asyncio.sleep(_TICK_SECONDS)


def _take_over(inside: Path, published: Path, *, seal: bool) -> bool:
    with suppress(FileNotFoundError):
        published.unlink(missing_ok=True)
        os.link(inside, published, follow_symlinks=False)
        if not stat.S_ISSOCK(published.lstat().st_mode):
            published.unlink()
            return False
        if seal:
            os.chown(inside.parent, 0, 0)
            inside.parent.chmod(0o755)
        return True
    return False
