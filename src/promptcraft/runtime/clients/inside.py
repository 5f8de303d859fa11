"""The probe: runs as a program in the sandbox, tries to get out by every way we know, prints which one worked.

Its source is handed to the environment's Python by `-c`, so it may import the standard library and nothing else. It
reads targets (see isolation.py) from its first argument and prints one JSON object: the name of each check, and true
where the attempt succeeded.
"""

import ctypes
import json
import os
import platform
import socket
import sys
from collections.abc import Callable
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_X86 = platform.machine() == "x86_64"
_NEWUSER, _NEWNS = 0x10000000, 0x00020000
_VSOCK = 40
_CALLS = {
    "clone": 56 if _X86 else 220,
    "clone3": 435,
    "unshare": 272 if _X86 else 97,
    "setns": 308 if _X86 else 268,
    "mount": 165 if _X86 else 40,
    "open_tree": 428,
    "ptrace": 101 if _X86 else 117,
    "process_vm_readv": 310 if _X86 else 270,
    "keyctl": 250 if _X86 else 219,
    "bpf": 321 if _X86 else 280,
    "perf_event_open": 298 if _X86 else 241,
    "userfaultfd": 323 if _X86 else 282,
    "io_uring_setup": 425,
}
_EPERM, _ENOSYS = 1, 38
_SIGCHLD = 17
_KERNEL_SURFACE = ("bpf", "perf_event_open", "userfaultfd", "io_uring_setup")


def _unfiltered(name: str, *arguments: object) -> bool:
    """Whether a call gets through to the kernel's own judgement: anything but the filter's two answers."""
    answer = _LIBC.syscall(_CALLS[name], *arguments)
    if answer == 0 and name.startswith("clone"):
        os._exit(0)  # the child of a clone that should not have been
    return answer != -1 or ctypes.get_errno() not in (_EPERM, _ENOSYS)


def _makes_user_namespace() -> bool:
    return (
        _unfiltered("unshare", _NEWUSER)
        or _unfiltered("clone", _NEWUSER | _SIGCHLD, 0, 0, 0, 0)
        or _unfiltered("clone3", 0, 0)
    )


def _connects(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(1)
        try:
            attempt.connect(address)
        except OSError:
            return False
        return True


def _opens_vsock() -> bool:
    try:
        socket.socket(_VSOCK, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _shows(path: str) -> bool:
    """Whether a path of the host can be seen: an empty directory that covers it shows nothing."""
    try:
        return bool(os.listdir(path)) if os.path.isdir(path) else os.path.lexists(path)
    except OSError:
        return False


def _writes(directory: str) -> bool:
    path = os.path.join(directory, "promptcraft-probe")
    try:
        with open(path, "w"):
            pass
    except OSError:
        return False
    os.unlink(path)
    return True


def _changes(path: str) -> bool:
    try:
        with open(path, "r+"):
            return True
    except OSError:
        return False


def _signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return pid not in (1, os.getpid())


def _becomes_root() -> bool:
    try:
        os.setuid(0)
    except OSError:
        return False
    return True


def _status(field: str) -> str:
    with open("/proc/self/status") as status:
        return next(line.split(":", 1)[1].strip() for line in status if line.startswith(field + ":"))


def _variables() -> set[str]:
    with open("/proc/self/environ") as given:
        return {entry.partition("=")[0] for entry in given.read().split("\0") if entry}


def _open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _attempts(targets: dict[str, Any]) -> dict[str, Callable[[], object]]:
    addresses = [tuple(address) for address in targets["addresses"]]
    return {
        "host_loopback": lambda: any(_connects(socket.AF_INET, address) for address in addresses),
        "interfaces": lambda: [name for _index, name in socket.if_nameindex() if name != "lo"],
        "abstract_sockets": lambda: _connects(socket.AF_UNIX, "\0" + targets["abstract"]),
        "vsock": _opens_vsock,
        "platform_sockets": lambda: any(_connects(socket.AF_UNIX, path) for path in targets["sockets"]),
        "other_programs_sockets": lambda: any(_connects(socket.AF_UNIX, path) for path in targets["neighbours"]),
        "host_files": lambda: [path for path in targets["files"] if _shows(path)],
        "other_programs_files": lambda: [path for path in targets["neighbours"] if _shows(path)],
        "other_processes": lambda: {name for name in os.listdir("/proc") if name.isdigit()} - {"1", str(os.getpid())},
        "signals": lambda: any(_signals(pid) for pid in targets["pids"]),
        "ptrace": lambda: _unfiltered("ptrace", 16, 1, 0, 0),
        "other_memory": lambda: _unfiltered("process_vm_readv", 1, 0, 0, 0, 0, 0),
        "user_namespace": lambda: _makes_user_namespace(),
        "other_namespaces": lambda: _unfiltered("unshare", _NEWNS) or _unfiltered("setns", 0, 0),
        "mount": lambda: (
            _unfiltered("mount", b"none", b"/scratch", b"tmpfs", 0, 0) or _unfiltered("open_tree", -1, b"/", 0)
        ),
        "keyring": lambda: _unfiltered("keyctl", 0, -3, 0, 0, 0),
        "kernel_surface": lambda: [name for name in _KERNEL_SURFACE if _unfiltered(name, 0, 0, 0, 0, 0)],
        "capabilities": lambda: [name for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb") if int(_status(name), 16)],
        "root": _becomes_root,
        "new_privileges": lambda: _status("NoNewPrivs") != "1",
        "seccomp": lambda: _status("Seccomp") != "2",
        "descriptors": lambda: [number for number in range(3, 1024) if _open(number)],
        "environment": lambda: _variables() - set(targets["variables"]),
        "write_outside_scratch": lambda: [path for path in targets["read_only"] if _writes(path)],
        "kernel_settings": lambda: [path for path in targets["settings"] if _changes(path)],
    }


if __name__ == "__main__":
    results = {name: bool(attempt()) for name, attempt in _attempts(json.loads(sys.argv[1])).items()}
    sys.stdout.write(json.dumps(results))
