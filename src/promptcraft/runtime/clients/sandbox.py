"""One confined process from its launch to its last trace, in whichever way this host confines."""

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from promptcraft.kernel.telemetry import get_logger
from promptcraft.runtime.clients import bubblewrap, cgroup
from promptcraft.runtime.clients.launch import (
    launch,
    launch_sandboxed,
    leashed,
    program_behind,
    send,
    send_group,
    usage_of_tree,
)
from promptcraft.runtime.clients.places import HostPlaces
from promptcraft.runtime.clients.reaper import Reaper
from promptcraft.runtime.clients.uids import Uids
from promptcraft.runtime.schemas import InstanceSpec, LimitsHeld, ProgramState, Usage

_END_SECONDS = 5.0
_log = get_logger(__name__)

Separation = Literal["own uid", "user namespace", "none"]


@dataclass(frozen=True, slots=True)
class Way:
    """How programs are kept from each other on this host. `uids` where each has its own."""

    separation: Separation
    uids: Uids | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """What confining needs: the host's tools and control groups, our places on it, and who outlives us."""

    tools: bubblewrap.Tools
    groups: cgroup.ControlGroups
    places: HostPlaces
    reaper: Reaper

    def limits_held(self, way: Way) -> LimitsHeld:
        return LimitsHeld(
            memory=self.groups.holds("memory") or "prlimit",
            cpu=self.groups.holds("cpu") or "nice",
            # a uid of its own, or a user namespace, makes the count of processes the program's alone
            processes=self.groups.holds("pids") or ("none" if way.separation == "none" else "prlimit"),
            file_size="prlimit",
        )


@dataclass(frozen=True, slots=True)
class Confined:
    """A process that runs, or has run, in a way. `pid` is bubblewrap's, or the program's own where nothing isolates."""

    process: asyncio.subprocess.Process
    group: cgroup.Group
    way: Way
    uid: int | None

    @property
    def pid(self) -> int:
        return self.process.pid

    def program(self) -> int | None:
        """The program itself as the host numbers it; None before it is there."""
        return self.pid if self.way.separation == "none" else program_behind(self.pid)


async def confine(
    host: Host, way: Way, spec: InstanceSpec, argv: Sequence[str], name: str, *, listens: bool, stderr: int
) -> Confined:
    """Launch argv as this spec says, in the group and directories called `name`. Raises NotRunnable."""
    uid = way.uids.take() if way.uids else None
    sockets = host.places.socket_directory / name if listens else None
    confinement = bubblewrap.Confinement(
        uid=uid,
        memory_by_group=host.groups.holds("memory") is not None,
        cpu_by_group=host.groups.holds("cpu") is not None,
        socket_directory=sockets,
        hidden=host.places.hidden,
    )
    group: cgroup.Group | None = None
    try:
        group = await asyncio.to_thread(_prepare, host, spec, confinement, name)
        if way.separation == "none":
            process = await _launch_open(host, spec, argv, group, name, stderr)
        else:
            process = await launch_sandboxed(
                host.tools,
                await asyncio.to_thread(bubblewrap.arguments, spec, confinement),
                bubblewrap.identity_files(confinement),
                bubblewrap.inner_command(spec, argv, host.tools, confinement),
                group.entrances,
                host.reaper,
                stderr=stderr,
            )
    except BaseException:
        if way.uids:
            way.uids.give_back(uid)
        await asyncio.to_thread(_clear, host, group, name)
        raise
    return Confined(process, group, way, uid)


async def end(host: Host, confined: Confined, name: str, grace_seconds: float) -> ProgramState:
    """Ask, wait, force, then remove every trace but the outcome."""
    if confined.process.returncode is None and grace_seconds > 0:
        if confined.way.separation == "none":
            send_group(confined.pid, signal.SIGTERM)
        elif (program := confined.program()) is not None:
            send(program, signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(confined.process.wait(), grace_seconds)
    # bubblewrap takes everything along when it ends, and its number may be another's once it has been waited for
    if confined.process.returncode is None or confined.way.separation == "none":
        send_group(confined.pid, signal.SIGKILL)
    await asyncio.to_thread(confined.group.kill)
    await confined.process.wait()
    host.reaper.forget(confined.pid)
    outcome = await asyncio.to_thread(outcome_of, confined)
    if confined.way.uids:
        confined.way.uids.give_back(confined.uid)
    await asyncio.to_thread(_clear, host, confined.group, name)
    return outcome


def outcome_of(confined: Confined) -> ProgramState:
    """Whether it runs, else how it ended. bubblewrap tells of a signal by an exit code above 128, as shells do."""
    code = confined.process.returncode
    if code is None:
        return ProgramState(running=True)
    if code > 128 and confined.way.separation != "none":
        code = 128 - code
    if code == -signal.SIGKILL and confined.group.killed_for_memory():
        return ProgramState(running=False, exit_code=code, reason="ended at its memory limit")
    reason = f"ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
    return ProgramState(running=False, exit_code=code, reason=reason)


def usage_of(confined: Confined) -> Usage | None:
    if confined.process.returncode is not None:
        return None
    return confined.group.usage() or usage_of_tree(confined.pid)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _prepare(host: Host, spec: InstanceSpec, confinement: bubblewrap.Confinement, name: str) -> cgroup.Group:
    bubblewrap.check(spec, confinement)
    if confinement.socket_directory is not None:
        confinement.socket_directory.mkdir(mode=0o700)
        _give(confinement.socket_directory, confinement.uid)
    for socket in spec.extra_sockets.values():
        _give(socket, confinement.uid)
    try:
        return host.groups.create(name, spec.limits)
    except FileNotFoundError:  # another driver of these places closed, and took the empty group above along
        return cgroup.find(host.places.runtime_directory).create(name, spec.limits)


def _give(path: Path, uid: int | None) -> None:
    if uid is not None:
        os.chown(path, uid, uid)


async def _launch_open(
    host: Host, spec: InstanceSpec, argv: Sequence[str], group: cgroup.Group, name: str, stderr: int
) -> asyncio.subprocess.Process:
    """Without isolation: what can still be had is the leash, no new privileges, the limits and a clean environment."""
    scratch = await asyncio.to_thread(_open_scratch, host, spec, name)
    socket = host.places.socket_directory / name / bubblewrap.SOCKET_NAME
    variables = bubblewrap.variables(spec, spec.code, spec.environment, scratch, socket, scratch / "platform")
    bounded = ["--bounding-set=-all"] if os.geteuid() == 0 else []
    command = [str(host.tools.setpriv), "--pdeathsig", "KILL", "--no-new-privs", "--inh-caps=-all", *bounded, "--"]
    by_group = {"memory": host.groups.holds("memory") is None, "cpu": host.groups.holds("cpu") is None}
    limits = spec.limits.model_copy(update={"processes": 65_536})  # counted over all of the user's processes here
    command += bubblewrap.limited(limits, host.tools, **by_group)
    command = leashed([*command, *argv], group.entrances, host.tools)
    return await launch(command, variables, host.reaper, stderr=stderr, directory=spec.code)


def _open_scratch(host: Host, spec: InstanceSpec, name: str) -> Path:
    scratch = host.places.runtime_directory / name
    (scratch / "platform").mkdir(parents=True, mode=0o700)
    for socket_name, path in spec.extra_sockets.items():
        (scratch / "platform" / f"{socket_name}.sock").symlink_to(path)
    return scratch


def _clear(host: Host, group: cgroup.Group | None, name: str) -> None:
    shutil.rmtree(host.places.socket_directory / name, ignore_errors=True)
    shutil.rmtree(host.places.runtime_directory / name, ignore_errors=True)
    if group is not None and not group.remove_when_empty(_END_SECONDS):
        _log.warning("control group still in use", extra={"group": name})
