"""Starting one confined process, and what is known of it from outside."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from promptcraft.runtime.clients import seccomp
from promptcraft.runtime.clients.bubblewrap import Tools
from promptcraft.runtime.clients.reaper import Reaper
from promptcraft.runtime.errors import IsolationUnavailable
from promptcraft.runtime.schemas import Usage

# Dies with the runtime even if that dies before the first exec; goes on only once the reaper knows of it, which a line
# on its standard input says; and is in its control groups before the program runs.
_ENTER = (
    'parent=$1; shift; [ "$PPID" = "$parent" ] || exit 117; read -r _ || exit 119; '
    'while [ "$1" != -- ]; do echo 0 > "$1" || exit 118; shift; done; shift; exec "$@" < /dev/null'
)
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def find_tools() -> Tools:
    """The host's confining programs. Raises IsolationUnavailable where more than bubblewrap is missing."""
    found = {name: shutil.which(name) for name in ("setpriv", "prlimit", "nice", "setsid", "sh")}
    if missing := ", ".join(name for name, path in found.items() if path is None):
        raise IsolationUnavailable(
            f"this host lacks {missing}, so it can start no program",
            next_step="Install util-linux and coreutils; the process driver needs Linux.",
        )
    bwrap = shutil.which("bwrap")
    return Tools(Path(bwrap) if bwrap else None, *(Path(path) for path in found.values() if path))


def leashed(command: Sequence[str], entrances: Sequence[Path], tools: Tools) -> list[str]:
    """The command, ended by the kernel when the thread that starts it ends, and inside these control groups."""
    start = [str(tools.setpriv), "--pdeathsig", "KILL", str(tools.shell), "-c", _ENTER, "sh", str(os.getpid())]
    return [*start, *map(str, entrances), "--", *command]


async def launch_sandboxed(
    tools: Tools,
    options: Sequence[str],
    files: Mapping[str, bytes],
    command: Sequence[str],
    entrances: Sequence[Path],
    reaper: Reaper,
    *,
    stderr: int,
) -> asyncio.subprocess.Process:
    """bwrap with its options and data passed by descriptor: inside, /proc/1/cmdline shows no path of the host."""
    descriptors = [_holding(seccomp.program())]
    words = ["--seccomp", str(descriptors[0])]
    try:
        for path, content in files.items():
            descriptors.append(_holding(content))
            words += ["--perms", "0444", "--ro-bind-data", str(descriptors[-1]), path]
        # /etc exists only after the first options, and is read-only after the last
        position = options.index("--proc")
        words = [*options[:position], *words, *options[position:]]
        descriptors.append(_holding("\0".join(words).encode() + b"\0"))
        bwrap = [str(tools.bwrap), "--args", str(descriptors[-1]), "--", *command]
        return await launch(leashed(bwrap, entrances, tools), {}, reaper, stderr=stderr, descriptors=descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


async def launch(
    command: Sequence[str],
    variables: Mapping[str, str],
    reaper: Reaper,
    *,
    stderr: int,
    directory: Path | None = None,
    descriptors: Sequence[int] = (),
) -> asyncio.subprocess.Process:
    """A leashed child in a session of its own, with nothing inherited but these descriptors, watched by the reaper."""
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=dict(variables),
            cwd=directory or "/",
            pass_fds=descriptors,
            start_new_session=True,
        )
        await reaper.watch(process.pid)
        os.write(ours, b"\n")
        return process
    finally:
        os.close(theirs)
        os.close(ours)


def _holding(content: bytes) -> int:
    descriptor = os.memfd_create("promptcraft", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def children(pid: int) -> list[int]:
    """The processes that this one started and that still are, by their numbers on the host."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (thread / "children").read_text().split())
    return found


def program_behind(bwrap: int) -> int | None:
    """bwrap's only child is the sandbox's process 1, whose first child is the program."""
    init = children(bwrap)
    inside = children(init[0]) if init else []
    return min(inside, default=None)


def usage_of_tree(pid: int) -> Usage | None:
    """CPU and resident memory of a process and its descendants, for hosts without control groups: children that have
    ended and were not waited for are missing."""
    pending, ticks, pages, seen = [pid], 0, 0, 0
    while pending:
        each = pending.pop()
        try:
            stat = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # fields 14 to 17 of proc(5) are user, system, and the same of children waited for; 24 is the resident set
        ticks += sum(int(field) for field in stat[11:15])
        pages += int(stat[21])
        seen += 1
        pending += children(each)
    return Usage(cpu_seconds=ticks / _TICKS, memory_bytes=pages * _PAGE) if seen else None


def send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def send_group(leader: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
