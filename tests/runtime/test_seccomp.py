"""The filter, judged by following its instructions as the kernel would."""

import errno
import re
import struct
from pathlib import Path

import pytest

from promptcraft.runtime.clients import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
CALLS = {  # read, clone, socket, ioctl
    "x86_64": {"read": 0, "clone": 56, "socket": 41, "ioctl": 16},
    "aarch64": {"read": 63, "clone": 220, "socket": 198, "ioctl": 29},
}
MACHINES = pytest.mark.parametrize("machine", AUDIT)


def verdict(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the machine's filter answers to one call: classic BPF as seccomp(2) uses it."""
    padded = [*arguments, *[0] * 6][:6]
    data = struct.pack("=IIQ6Q", number, audit or AUDIT[machine], 0, *padded)
    program = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    accumulator = position = 0
    while True:
        code, then, otherwise, value = program[position]
        position += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
            case 0x06:
                return value
            case 0x15 | 0x25 | 0x35 | 0x45:
                holds = {
                    0x15: accumulator == value,
                    0x25: accumulator > value,
                    0x35: accumulator >= value,
                    0x45: accumulator & value != 0,
                }[code]
                position += then if holds else otherwise


def refused(number: int) -> int:
    return 0x00050000 | number


@MACHINES
def test_ordinary_calls_pass(machine: str):
    calls = CALLS[machine]

    assert verdict(machine, calls["read"]) == ALLOW
    assert verdict(machine, calls["clone"], 0x3D0F00) == ALLOW  # a thread
    assert verdict(machine, calls["clone"], 17) == ALLOW  # a fork
    assert [verdict(machine, calls["socket"], family) for family in (1, 2, 10, 16)] == [ALLOW] * 4
    assert verdict(machine, calls["ioctl"], 0, 0x5413) == ALLOW


@MACHINES
@pytest.mark.parametrize("flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
def test_no_namespace_is_made_whatever_else_is_asked_for(machine: str, flag: int):
    assert verdict(machine, CALLS[machine]["clone"], flag | 17) == refused(errno.EPERM)
    assert verdict(machine, CALLS[machine]["clone"], flag | 17 | 1 << 40) == refused(errno.EPERM)
    assert verdict(machine, 435) == refused(errno.ENOSYS)


@MACHINES
def test_families_that_know_no_network_namespace_do_not_exist(machine: str):
    vsock, packet, crypto = 40, 17, 38

    answers = {verdict(machine, CALLS[machine]["socket"], family) for family in (vsock, packet, crypto)}

    assert answers == {refused(errno.EAFNOSUPPORT)}


@MACHINES
def test_nothing_is_typed_into_the_terminal_that_started_us(machine: str):
    assert verdict(machine, CALLS[machine]["ioctl"], 0, 0x5412) == refused(errno.EPERM)
    assert verdict(machine, CALLS[machine]["ioctl"], 0, 0x5412 | 1 << 32) == refused(errno.EPERM)


@MACHINES
def test_every_named_call_is_refused_and_newer_ones_do_not_exist(machine: str):
    calls = seccomp.refused_calls(machine)

    assert {verdict(machine, number) for number in calls.values()} == {refused(errno.EPERM)}
    assert {"mount", "ptrace", "unshare", "setns", "bpf", "keyctl", "io_uring_setup", "pivot_root"} < set(calls)
    assert {verdict(machine, number) for number in (457, 467, 1000)} == {refused(errno.ENOSYS)}


@MACHINES
def test_another_processors_numbers_end_the_program(machine: str):
    i386 = 0x40000003

    assert verdict(machine, 0, audit=i386) == KILL
    assert verdict(machine, 0x40000000 | CALLS[machine]["read"]) == KILL


@MACHINES
def test_numbers_are_those_of_the_kernels_headers(machine: str):
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    numbers = {name: int(number) for name, number in defined}

    assert {name: numbers[name] for name in seccomp.refused_calls(machine)} == seccomp.refused_calls(machine)


def test_machine_without_a_filter_is_not_supported():
    assert not seccomp.supported("riscv64")
    with pytest.raises(KeyError):
        seccomp.program("riscv64")
