"""Finds out how this host can confine programs, and proves it: a probe runs inside and tries to get out."""

import asyncio
import json
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from uuid import uuid4

from promptcraft.runtime.clients import seccomp
from promptcraft.runtime.clients.output import tail_of
from promptcraft.runtime.clients.places import empty_directory, name_of_run
from promptcraft.runtime.clients.sandbox import Confined, Host, Way, confine, end
from promptcraft.runtime.clients.uids import own_uids
from promptcraft.runtime.errors import NotRunnable
from promptcraft.runtime.schemas import InstanceSpec, IsolationReport, Limits, Verdict

DRIVER = "process"
_PROBE_SECONDS = 30.0
_READ_ONLY = ("/", "/agent", "/env", "/usr", "/etc", "/dev", "/run", "/run/platform", "/proc")
_KERNEL_SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger")
# Set by the C library and shells as programs start, not handed in
_HARMLESS_VARIABLES = ("LC_CTYPE", "PWD", "SHLVL", "_")
_NEIGHBOUR = """
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["AGENT_SOCKET"])
listener.listen()
print("ready", flush=True)
time.sleep(60)
"""


class ProbeFailed(Exception):
    """The sandbox did not come up, or the probe in it did not answer."""


async def find_way(host: Host) -> tuple[Way, IsolationReport]:
    """The strictest way that holds on this host, and what was found; the way "none" where no isolation does."""
    warnings: list[str] = []
    for way in _candidates(host, warnings):
        try:
            checks = await _examine(host, way)
        except (ProbeFailed, NotRunnable) as failure:
            warnings.append(f"separation by {way.separation} does not work here: {failure}")
            continue
        leaks = [name for name, verdict in checks.items() if verdict == "leaked"]
        if not leaks:
            return way, _report(host, way, checks, warnings)
        warnings.append(f"separation by {way.separation} leaks: {', '.join(leaks)}")
    warnings.append("programs run without isolation, so only unmodified agents of the built-in template are started")
    nothing = Way("none")
    return nothing, _report(host, nothing, {}, warnings)


def guarded_files(host: Host) -> tuple[Path, ...]:
    """The directories that no program may see: the platform's, and the home of who runs it."""
    return (*host.places.hidden, host.places.runtime_directory, *_home())


def _home() -> Iterator[Path]:
    with suppress(KeyError):  # a uid without an account has no home
        home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
        if home.is_dir() and home.stat().st_uid == os.geteuid() and home != Path("/"):
            yield home


def _candidates(host: Host, warnings: list[str]) -> Iterator[Way]:
    if host.tools.bwrap is None:
        warnings.append("bubblewrap is not installed: apt-get install bubblewrap")
        return
    if not seccomp.supported():
        warnings.append("there is no seccomp filter for this machine's processor")
        return
    if os.geteuid() == 0:
        if (uids := own_uids(host.places.runtime_directory)) is not None:
            yield Way("own uid", uids)
        else:
            warnings.append("root of this container has too few uids to give each program its own")
        return  # a namespace would leave the program uid 0 on the host, which owns /proc/sys
    yield Way("user namespace")


def _report(host: Host, way: Way, checks: Mapping[str, Verdict], warnings: list[str]) -> IsolationReport:
    isolated = way.separation != "none"
    return IsolationReport(
        driver=DRIVER,
        isolated=isolated,
        separation=way.separation,
        network="none" if isolated else "host",
        seccomp=isolated,
        limits=host.limits_held(way),
        checks=checks,
        warnings=tuple(warnings),
    )


async def _examine(host: Host, way: Way) -> dict[str, Verdict]:
    """Run a listening neighbour and, beside it, the probe. Raises ProbeFailed."""
    name = name_of_run()
    spec = _spec(host)
    neighbour = await confine(host, way, spec, _python(_NEIGHBOUR), name, listens=True, stderr=subprocess.STDOUT)
    try:
        program = await _ready(neighbour)
        outside = await asyncio.to_thread(_seen_from_outside, program, way, neighbour)
        with _open_doors() as (addresses, abstract):
            targets = {
                "addresses": addresses,
                "abstract": abstract,
                "sockets": [str(path) for path in host.places.guarded_sockets],
                "neighbours": [str(host.places.socket_directory / name / "agent.sock")],
                "files": [str(path) for path in guarded_files(host)],
                "pids": [os.getpid(), neighbour.pid, program],
                "variables": [*_HARMLESS_VARIABLES, *_given_variables()],
                "read_only": _READ_ONLY,
                "settings": _KERNEL_SETTINGS,
            }
            inside = await _attempt(host, way, spec, targets)
    finally:
        await end(host, neighbour, name, 0)
    return {check: "leaked" if leaked else "held" for check, leaked in (outside | inside).items()}


async def _attempt(host: Host, way: Way, spec: InstanceSpec, targets: Mapping[str, object]) -> dict[str, bool]:
    name = name_of_run()
    source = resources.files("promptcraft.runtime.clients").joinpath("inside.py").read_text()
    argv = [*_python(source), json.dumps(targets)]
    probe = await confine(host, way, spec, argv, name, listens=False, stderr=subprocess.PIPE)
    complaint = ""
    try:
        if probe.process.stdout is None or probe.process.stderr is None:
            raise ProbeFailed("its output is not connected")
        async with asyncio.timeout(_PROBE_SECONDS):
            printed, complaint = await asyncio.gather(tail_of(probe.process.stdout), tail_of(probe.process.stderr))
        return {str(check): bool(leaked) for check, leaked in json.loads(printed).items()}
    except TimeoutError:
        raise ProbeFailed("the probe did not end in time") from None
    except json.JSONDecodeError:
        raise ProbeFailed(_last_line(complaint)) from None
    finally:
        await end(host, probe, name, 0)


async def _ready(neighbour: Confined) -> int:
    """The neighbour's pid on the host, once it listens."""
    stream = neighbour.process.stdout
    if stream is None:
        raise ProbeFailed("its output is not connected")
    said = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PROBE_SECONDS):
            said = await stream.readline()
    program = await asyncio.to_thread(neighbour.program)
    if said != b"ready\n" or program is None:
        raise ProbeFailed(_last_line(said.decode(errors="replace")))
    return program


def _seen_from_outside(program: int, way: Way, neighbour: Confined) -> dict[str, bool]:
    """What only the host can tell: whose the process is, and that it could not gain anything."""
    lines = Path(f"/proc/{program}/status").read_text().splitlines()
    fields = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    uids, own = {int(uid) for uid in fields["Uid"]}, os.geteuid()
    expected = {neighbour.uid} if way.separation == "own uid" else {own}
    in_roots_group = way.separation == "own uid" and "0" in fields["Groups"]
    return {"uid_from_outside": uids != expected or in_roots_group}


def _spec(host: Host) -> InstanceSpec:
    """The probe's program: the Python that runs us, without anything of ours."""
    python, empty = Path(sys.base_prefix), empty_directory(host.places)
    return InstanceSpec(
        instance_id=uuid4(),
        name="probe",
        code=empty,
        # every program sees /usr, less what is hidden below it
        environment=empty if python.is_relative_to("/usr") else python,
        argv=("python3",),
        limits=Limits(cpus=1),
    )


def _python(source: str) -> list[str]:
    return [f"python{sys.version_info.major}.{sys.version_info.minor}", "-I", "-c", source]


def _given_variables() -> list[str]:
    return ["AGENT_CODE", "AGENT_SOCKET", "HOME", "LANG", "MALLOC_ARENA_MAX", "PATH", "PLATFORM_SOCKETS"] + [
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "TMPDIR",
    ]


@contextmanager
def _open_doors() -> Generator[tuple[list[tuple[str, int]], str]]:
    """Listeners that a program on the host's network could reach: a TCP port, and an abstract socket."""
    abstract = f"promptcraft-{uuid4().hex}"
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        unix.bind("\0" + abstract)
        for listener in (tcp, unix):
            listener.listen()
        yield [("127.0.0.1", tcp.getsockname()[1])], abstract


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
