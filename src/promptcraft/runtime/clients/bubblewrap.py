"""The command line that puts one program behind bubblewrap (bwrap(1)).

Two ways in. Started by root, bubblewrap makes its mounts without a user namespace and setpriv then gives the program a
uid that no other program and no user of the host has; the program has no capability, and the seccomp filter refuses it
user namespaces. Started by a plain user, the program is in a user namespace that forbids further ones. Everything else
is the same: no network, own processes, read-only files, a scratch of bounded size in memory.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptcraft.runtime.errors import NotRunnable
from promptcraft.runtime.schemas import InstanceSpec, Limits

CODE, ENVIRONMENT, SCRATCH = Path("/agent"), Path("/env"), Path("/scratch")
SOCKETS, EXTRA_SOCKETS = Path("/run/agent"), Path("/run/platform")
SOCKET_NAME = "agent.sock"
NAMESPACE_UID = 1000
_SYSTEM = Path("/usr")
_OUTSIDE_USR = ("bin", "sbin", "lib", "lib64")  # links into /usr on a merged host, directories on an older one
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives")
_ADDRESSES_BYTES = 512 * 2**20
_TO_CHANGE_UID = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")  # setpriv's; the program keeps none


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs of the host that confine, by absolute path."""

    bwrap: Path | None
    setpriv: Path
    prlimit: Path
    nice: Path
    setsid: Path
    shell: Path


@dataclass(frozen=True, slots=True)
class Confinement:
    """How one program is kept in. `uid` None: by a user namespace."""

    uid: int | None
    memory_by_group: bool
    cpu_by_group: bool
    socket_directory: Path | None  # on the host; None: the program does not listen
    hidden: tuple[Path, ...]  # directories of the host that must not show through a mount


def arguments(spec: InstanceSpec, confinement: Confinement) -> list[str]:
    """bwrap's options for this program, but the seccomp filter and the files of `identity_files`, which come as
    descriptors.
    """
    made = ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"]
    # No --new-session: process 1 would leave our process group, which the reaper kills by, before it is bound to bwrap.
    made += ["--hostname", spec.name.replace("_", "-"), "--die-with-parent", "--cap-drop", "ALL"]
    if confinement.uid is None:
        made += ["--unshare-user", "--disable-userns", "--uid", str(NAMESPACE_UID), "--gid", str(NAMESPACE_UID)]
    else:
        made += [word for capability in _TO_CHANGE_UID for word in ("--cap-add", capability)]
    made += _system(spec, confinement.hidden)
    made += _writable(spec.limits)
    made += ["--ro-bind", str(spec.environment), str(ENVIRONMENT), "--ro-bind", str(spec.code), str(CODE)]
    made += ["--perms", "0755", "--dir", "/run", "--perms", "0755", "--dir", str(EXTRA_SOCKETS)]
    if confinement.socket_directory is not None:
        made += ["--bind", str(confinement.socket_directory), str(SOCKETS)]
    for name, path in spec.extra_sockets.items():
        made += ["--ro-bind", str(path), str(EXTRA_SOCKETS / f"{name}.sock")]
    made += ["--remount-ro", "/", "--chdir", str(CODE), "--clearenv"]
    for name, value in variables(spec, CODE, ENVIRONMENT, SCRATCH, SOCKETS / SOCKET_NAME, EXTRA_SOCKETS).items():
        made += ["--setenv", name, value]
    return made


def inner_command(spec: InstanceSpec, argv: Sequence[str], tools: Tools, confinement: Confinement) -> list[str]:
    """What bwrap executes: leave its process group, lose the last privileges, take the limits, become the program."""
    command = [str(tools.setsid)]
    if confinement.uid is not None:
        user = [f"--reuid={confinement.uid}", f"--regid={confinement.uid}", "--clear-groups", "--no-new-privs"]
        command += [str(tools.setpriv), *user, "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"]
    command += limited(spec.limits, tools, memory=not confinement.memory_by_group, cpu=not confinement.cpu_by_group)
    return [*command, *argv]


def limited(limits: Limits, tools: Tools, *, memory: bool, cpu: bool) -> list[str]:
    """The prefix that sets the limits every process can be given; of memory and CPU only where no control group holds
    them.
    """
    words = [str(tools.prlimit), "--core=0", f"--fsize={limits.file_bytes}", f"--nofile={limits.open_files}"]
    words += [f"--nproc={limits.processes}", "--memlock=65536"]
    if memory:
        # What a program has to itself, stacks of threads included, counts as data. Addresses take in what costs no
        # memory (libraries, weights in files, reservations), and are bounded for what it may share with itself.
        words += [f"--data={limits.memory_bytes}", f"--as={limits.memory_bytes + _ADDRESSES_BYTES}"]
    return [*words, *([str(tools.nice), "-n", "10"] if cpu else [])]


def variables(
    spec: InstanceSpec, code: Path, environment: Path, scratch: Path, socket: Path, extra_sockets: Path
) -> dict[str, str]:
    """Every environment variable that the program gets."""
    return {
        "LANG": "C.UTF-8",
        "MALLOC_ARENA_MAX": "2",  # glibc reserves 64 MiB of address space an arena
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **spec.variables,
        "AGENT_CODE": str(code),
        "AGENT_SOCKET": str(socket),
        "HOME": str(scratch),
        "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin",
        "PLATFORM_SOCKETS": str(extra_sockets),
        "TMPDIR": str(scratch),
    }


def identity_files(confinement: Confinement) -> Mapping[str, bytes]:
    """The files of /etc that are made up: the program's own user and no other."""
    uid = NAMESPACE_UID if confinement.uid is None else confinement.uid
    return {
        "/etc/passwd": f"agent:x:{uid}:{uid}::{SCRATCH}:/usr/sbin/nologin\n".encode(),
        "/etc/group": f"agent:x:{uid}:\n".encode(),
        "/etc/hosts": b"127.0.0.1 localhost\n::1 localhost\n",
    }


def check(spec: InstanceSpec, confinement: Confinement) -> None:
    """Raises NotRunnable where the program could not be read, or would carry hidden directories in with it."""
    for path in (spec.code, spec.environment, *python_outside_usr(spec.environment).values()):
        if not path.is_dir():
            raise NotRunnable(f"{path.name} of {spec.name} is not a directory")
        real = path.resolve()
        if any(hidden.resolve().is_relative_to(real) for hidden in confinement.hidden):
            raise NotRunnable(f"{path.name} of {spec.name} holds a directory that programs must not see")
        if confinement.uid is not None and path.stat().st_mode & (stat.S_IROTH | stat.S_IXOTH) != 0o005:
            raise NotRunnable(
                f"{path.name} of {spec.name} cannot be read by the program's own user",
                next_step="Its mode must be 755; the directories above it may stay private.",
            )
    for name, socket in spec.extra_sockets.items():
        if not socket.is_socket():
            raise NotRunnable(f"socket {name} of {spec.name} does not exist")


def _system(spec: InstanceSpec, hidden: Sequence[Path]) -> list[str]:
    """The read-only part that belongs to the host: its programs and libraries, and the environment's Python."""
    words = ["--ro-bind", str(_SYSTEM), str(_SYSTEM)]
    for name in _OUTSIDE_USR:
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    words += ["--perms", "0755", "--dir", "/etc"]
    for name in _ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for seen_as, real in python_outside_usr(spec.environment).items():
        words += ["--ro-bind", str(real), str(seen_as)]
    for path in hidden:
        if path.is_relative_to(_SYSTEM) and not any(other in path.parents for other in hidden):
            words += ["--perms", "0555", "--tmpfs", str(path), "--remount-ro", str(path)]
    return [*words, "--proc", "/proc", "--dev", "/dev"]


def _writable(limits: Limits) -> list[str]:
    """Scratch, and the shared memory that multiprocessing wants: in memory, bounded, gone with the program."""
    size = str(limits.scratch_bytes)
    words: list[str] = []
    for directory in ("/dev/shm", str(SCRATCH)):  # noqa: S108 - inside the sandbox, the program's alone
        words += ["--perms", "1777", "--size", size, "--tmpfs", directory]
    return [*words, "--remount-ro", "/dev", "--symlink", str(SCRATCH).lstrip("/"), "/tmp"]  # noqa: S108 - as above


def python_outside_usr(environment: Path) -> dict[Path, Path]:
    """The base Python of a virtual environment where /usr does not hold it: the path it is known by, and the real
    one.
    """
    settings = environment / "pyvenv.cfg"
    if not settings.exists():
        return {}
    pairs = (line.partition("=") for line in settings.read_text().splitlines())
    home = next((Path(value.strip()) for key, _, value in pairs if key.strip() == "home"), None)
    interpreter = (environment / "bin" / "python").resolve()
    directories = [interpreter.parent] if home is None else [home, home.resolve(), interpreter.parent]
    return {each.parent: each.resolve().parent for each in directories if not each.resolve().is_relative_to(_SYSTEM)}
