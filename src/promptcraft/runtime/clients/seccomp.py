"""The system calls an agent may not make, as a seccomp program for `bwrap --seccomp`.

A program is a list of classic BPF instructions over `struct seccomp_data` (seccomp(2): number, architecture,
instruction pointer, six arguments of 64 bits, little endian here). Every rule is a comparison that skips its own
verdict when it does not match, so no instruction jumps further than its own rule. What is not named is allowed, except
what is newer than this table: a call nobody here has looked at answers as on an older kernel (ENOSYS), which programs
already handle.
"""

import errno
import platform
import struct
from collections.abc import Iterator
from typing import NamedTuple

_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06  # <linux/bpf_common.h>
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000  # <linux/seccomp.h>
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_LAST_KNOWN = 456  # futex_requeue, Linux 6.7
_X32 = 0x40000000  # a second numbering of the same calls on x86_64
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* that clone() takes
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # type into, and draw on, the terminal that started us
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16  # families; AF_VSOCK and others know no network namespace


class _Machine(NamedTuple):
    audit: int  # AUDIT_ARCH_*, <linux/audit.h>
    column: int  # of _CALLS


_MACHINES = {"x86_64": _Machine(0xC000003E, 0), "aarch64": _Machine(0xC00000B7, 1)}

# name: (x86_64, aarch64); None where the machine has no such call
_CALLS: dict[str, tuple[int | None, int | None]] = {
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    # other processes, and files by handle instead of by path
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262),
    # wide kernel surface that no agent needs
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_secret": (447, 447),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "get_mempolicy": (239, 236),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "set_mempolicy_home_node": (450, 450),
    # the machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "create_module": (174, None),
    "delete_module": (176, 106),
    "query_module": (178, None),
    "get_kernel_syms": (177, None),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "iopl": (172, None),
    "ioperm": (173, None),
    "acct": (163, 89),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "nfsservctl": (180, 42),
    "_sysctl": (156, None),
    "sysfs": (139, None),
    "ustat": (136, None),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
}
_CLONE, _CLONE3, _SOCKET, _IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)


class Instruction(NamedTuple):
    """One `struct sock_filter`: `then` and `otherwise` count the instructions to skip."""

    code: int
    then: int
    otherwise: int
    value: int


def _load(offset: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, offset)


def _answer(verdict: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, verdict)


def _fail(number: int) -> Instruction:
    return _answer(_ERRNO | number)


def _when(comparison: int, value: int, verdict: Instruction) -> list[Instruction]:
    return [Instruction(comparison, 0, 1, value), verdict]


def _unless(comparison: int, value: int, verdict: Instruction) -> list[Instruction]:
    return [Instruction(comparison, 1, 0, value), verdict]


def _looking_at(number: int, argument: int, tests: list[Instruction], otherwise: Instruction) -> list[Instruction]:
    """For one call, judge the low 32 bits of an argument: the kernel reads no more of flags, families and requests."""
    body = [_load(_ARGUMENTS + 8 * argument), *tests, otherwise]
    return [Instruction(_EQUAL, 0, len(body), number), *body]


def _rules(machine: _Machine) -> Iterator[list[Instruction]]:
    allow, refused = _answer(_ALLOW), _fail(errno.EPERM)
    yield [_load(_ARCHITECTURE), *_unless(_EQUAL, machine.audit, _answer(_KILL))]
    yield [_load(_NUMBER), *_when(_AT_LEAST, _X32, _answer(_KILL)), *_when(_GREATER, _LAST_KNOWN, _fail(errno.ENOSYS))]
    # clone3 takes its flags by a pointer that no filter can follow: absent, the C library falls back to clone
    yield _when(_EQUAL, _CLONE3[machine.column], _fail(errno.ENOSYS))
    yield _looking_at(_CLONE[machine.column], 0, _when(_ANY_BIT, _NEW_NAMESPACES, refused), allow)
    families = [step for family in (_UNIX, _INET, _INET6, _NETLINK) for step in _when(_EQUAL, family, allow)]
    yield _looking_at(_SOCKET[machine.column], 0, families, _fail(errno.EAFNOSUPPORT))
    requests = [step for request in (_TIOCSTI, _TIOCLINUX) for step in _when(_EQUAL, request, refused)]
    yield _looking_at(_IOCTL[machine.column], 1, requests, allow)
    numbers = (numbers[machine.column] for numbers in _CALLS.values())
    yield [step for number in numbers if number is not None for step in _when(_EQUAL, number, refused)]
    yield [allow]


def supported(machine: str | None = None) -> bool:
    """Whether there is a filter for this machine (default: the one we run on)."""
    return (machine or platform.machine()) in _MACHINES


def instructions(machine: str | None = None) -> list[Instruction]:
    """The filter for a machine (default: the one we run on). Raises KeyError where none is known."""
    return [step for rule in _rules(_MACHINES[machine or platform.machine()]) for step in rule]


def program(machine: str | None = None) -> bytes:
    """The filter as the array of `struct sock_filter` that the kernel reads. Raises KeyError where none is known."""
    return b"".join(struct.pack("=HBBI", *step) for step in instructions(machine))


def refused_calls(machine: str) -> dict[str, int]:
    """Names and numbers of the calls refused whatever their arguments."""
    column = _MACHINES[machine].column
    return {name: number for name, numbers in _CALLS.items() if (number := numbers[column]) is not None}
