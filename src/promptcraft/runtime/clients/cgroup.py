"""Control groups, version 1 or 2, where this process may write them: hard limits and exact usage of a whole process
tree.

A host may mount both versions at once; each controller belongs to one of them. One group is made per program, below
one group per runtime, named after the runtime's own directory, so that a later runtime finds what a killed one left
and no other platform's.
"""

import errno
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from promptcraft.runtime.schemas import Limits, Usage

V1, V2 = "cgroup v1", "cgroup v2"
_PERIOD_MICROSECONDS = 100_000
_LIMITING = ("memory", "pids", "cpu")
_END_SECONDS = 5.0
_CONTROLLERS = (*_LIMITING, "cpuacct")  # v2 has no cpuacct: its cpu.stat is always there


@dataclass(frozen=True, slots=True)
class Controller:
    """Where groups of one controller are made: `home` is this runtime's own group."""

    name: str
    version: str
    home: Path


class ControlGroups:
    """The controllers of this host that can be used; none at all is a valid state."""

    def __init__(self, controllers: Iterable[Controller]) -> None:
        self._controllers = {controller.name: controller for controller in controllers}

    def holds(self, controller: str) -> str | None:
        """The version that holds this controller's limit, None where none does."""
        found = self._controllers.get(controller)
        return found.version if found else None

    def create(self, name: str, limits: Limits) -> "Group":
        """A new group with these limits; put processes in by writing 0 to each of `group.entrances`."""
        group = Group({key: Controller(key, each.version, each.home / name) for key, each in self._controllers.items()})
        for controller in group.controllers.values():
            controller.home.mkdir(exist_ok=True)
        for path, value in _settings(group.controllers, limits):
            path.write_text(value)
        return group

    def sweep(self, keep: Callable[[str], bool] | None = None) -> None:
        """End what a killed predecessor left in its groups, and remove them, but groups whose names `keep` accepts."""
        for home in {controller.home for controller in self._controllers.values()}:
            for left in [entry for entry in home.iterdir() if entry.is_dir() and not (keep and keep(entry.name))]:
                Group({"": Controller("", "", left)}).remove_when_empty(_END_SECONDS)

    def close(self) -> None:
        """Remove this runtime's own groups; those that still hold a program stay."""
        for controller in self._controllers.values():
            _remove(controller.home)


@dataclass(frozen=True, slots=True)
class Group:
    """The group of one program, in every controller."""

    controllers: dict[str, Controller]

    @property
    def entrances(self) -> tuple[Path, ...]:
        return tuple(home / "cgroup.procs" for home in self._directories())

    def usage(self) -> Usage | None:
        """CPU and memory of all processes together; None where a controller is missing or the group is gone."""
        try:
            cpu, memory = self._cpu_seconds(), self._memory_bytes()
        except OSError:
            return None
        return None if cpu is None or memory is None else Usage(cpu_seconds=cpu, memory_bytes=memory)

    def killed_for_memory(self) -> bool:
        """Whether the kernel ended a process of this group at the memory limit."""
        memory = self.controllers.get("memory")
        if memory is None:
            return False
        file = "memory.oom_control" if memory.version == V1 else "memory.events"
        with suppress(OSError):
            return _table(memory.home / file).get("oom_kill", 0) > 0
        return False

    def kill(self) -> None:
        for home in self._directories():
            _kill_members(home)

    def remove_when_empty(self, seconds: float) -> bool:
        """Remove the group, ending what is still in it; False if a process has not gone in this time."""
        deadline = time.monotonic() + seconds
        while not all(_remove(home) for home in self._directories()):
            if time.monotonic() > deadline:
                return False
            self.kill()
            time.sleep(0.01)
        return True

    def _directories(self) -> list[Path]:
        return sorted({controller.home for controller in self.controllers.values()})

    def _cpu_seconds(self) -> float | None:
        accounts, cpu = self.controllers.get("cpuacct"), self.controllers.get("cpu")
        if accounts is not None:
            return int((accounts.home / "cpuacct.usage").read_text()) / 1e9
        if cpu is not None and cpu.version == V2:
            return _table(cpu.home / "cpu.stat")["usage_usec"] / 1e6
        return None

    def _memory_bytes(self) -> int | None:
        """What the program holds, without file pages that the kernel would drop first (as `docker stats` counts)."""
        memory = self.controllers.get("memory")
        if memory is None:
            return None
        file, field = (
            ("memory.usage_in_bytes", "total_inactive_file")
            if memory.version == V1
            else ("memory.current", "inactive_file")
        )
        held = int((memory.home / file).read_text())
        return max(0, held - _table(memory.home / "memory.stat").get(field, 0))


def find(runtime_directory: Path, proc: Path = Path("/proc/self")) -> ControlGroups:
    """The controllers that this process may use for the runtime of this directory; each is tried, not guessed."""
    name = _name(runtime_directory)
    found: dict[str, Controller] = {}
    mounts, own = _mounts(proc), _own_groups(proc)
    for version, point, options in mounts:
        for controller in _CONTROLLERS:
            if version == V1 and controller in options and (home := _usable(point, own.get(controller), name, _as_is)):
                found[controller] = Controller(controller, V1, home)
    for version, point, _options in mounts:
        missing = [controller for controller in _LIMITING if controller not in found]
        if version == V2 and missing and (home := _usable(point, own.get(""), name, _enabler(missing))):
            enabled = (home / "cgroup.controllers").read_text().split()
            found |= {each: Controller(each, V2, home) for each in missing if each in enabled}
    return ControlGroups(found.values())


def found_again(runtime_directory: Path, proc: Path = Path("/proc/self")) -> ControlGroups:
    """Where drivers of this directory made groups before, to sweep and to remove them; nothing is tried or made."""
    name, own = _name(runtime_directory), _own_groups(proc)
    homes: dict[Path, str] = {}
    for version, point, options in _mounts(proc):
        ours = [own[key] for key in (options if version == V1 else {""}) if key in own]
        for parent in (point, *(point / group.lstrip("/") for group in ours)):
            if (parent / name).is_dir():
                homes[parent / name] = version
    return ControlGroups(Controller(str(home), version, home) for home, version in homes.items())


def _name(runtime_directory: Path) -> str:
    return "promptcraft-" + hashlib.sha256(os.fsencode(runtime_directory.resolve())).hexdigest()[:12]


def _mounts(proc: Path) -> list[tuple[str, Path, set[str]]]:
    """Version, mount point and options of every mounted hierarchy."""
    found: list[tuple[str, Path, set[str]]] = []
    with suppress(FileNotFoundError):
        for line in (proc / "mounts").read_text().splitlines():
            _device, point, kind, options, *_rest = line.split()
            if kind in ("cgroup", "cgroup2"):
                found.append((V1 if kind == "cgroup" else V2, Path(point), set(options.split(","))))
    return found


def _own_groups(proc: Path) -> dict[str, str]:
    """The group this process is in, by controller; version 2's under the empty name."""
    groups: dict[str, str] = {}
    with suppress(FileNotFoundError):
        for line in (proc / "cgroup").read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            groups |= dict.fromkeys(controllers.split(","), path)
    return groups


def _usable(point: Path, own: str | None, name: str, prepare: Callable[[Path, Path], None]) -> Path | None:
    """This runtime's group: below the one we are in, so that its limits hold too, else at the top; None if neither
    works.
    """
    for parent in dict.fromkeys((point / (own or "/").lstrip("/"), point)):
        home = parent / name
        try:
            home.mkdir(exist_ok=True)
            prepare(parent, home)
            _try_out(home)
        except OSError:
            with suppress(OSError):
                home.rmdir()
        else:
            return home
    return None


def _as_is(_parent: Path, _home: Path) -> None:
    """A version 1 group has its controllers at once."""


def _enabler(controllers: Iterable[str]) -> Callable[[Path, Path], None]:
    """Version 2 gives a group the controllers that its parent passes on."""

    def enable(parent: Path, home: Path) -> None:
        offered = (parent / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{controller}" for controller in controllers if controller in offered)
        if not wanted:
            raise OSError(errno.ENOTSUP, "no controller is passed on")
        for group in (parent, home):
            (group / "cgroup.subtree_control").write_text(wanted)

    return enable


def _try_out(home: Path) -> None:
    """Whether a process of ours can enter a group made here, which writable files do not promise; OSError if not."""
    trial = home / f"trial-{os.getpid()}"
    trial.mkdir()
    try:
        enter = ["sh", "-c", 'echo 0 > "$1"', "sh", str(trial / "cgroup.procs")]
        if subprocess.run(enter, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            raise PermissionError(errno.EACCES, "cannot be entered", str(trial))
    finally:
        _remove(trial)


def _settings(controllers: dict[str, Controller], limits: Limits) -> Iterable[tuple[Path, str]]:
    if memory := controllers.get("memory"):
        total = str(limits.memory_bytes)
        if memory.version == V1:
            yield memory.home / "memory.limit_in_bytes", total
            if (memory.home / "memory.memsw.limit_in_bytes").exists():
                yield memory.home / "memory.memsw.limit_in_bytes", total
        else:
            yield memory.home / "memory.max", total
            yield memory.home / "memory.oom.group", "1"
            if (memory.home / "memory.swap.max").exists():
                yield memory.home / "memory.swap.max", "0"
    if pids := controllers.get("pids"):
        yield pids.home / "pids.max", str(limits.processes)
    if cpu := controllers.get("cpu"):
        quota = max(1000, int(limits.cpus * _PERIOD_MICROSECONDS))
        if cpu.version == V1:
            yield cpu.home / "cpu.cfs_period_us", str(_PERIOD_MICROSECONDS)
            yield cpu.home / "cpu.cfs_quota_us", str(quota)
        else:
            yield cpu.home / "cpu.max", f"{quota} {_PERIOD_MICROSECONDS}"


def _remove(home: Path) -> bool:
    try:
        home.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # a process is still ending in it
        return False
    return True


def _table(path: Path) -> dict[str, int]:
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2}


def _members(home: Path) -> list[int]:
    try:
        return [int(line) for line in (home / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _kill_members(home: Path) -> None:
    for pid in _members(home):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
