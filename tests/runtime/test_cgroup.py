"""What is written into control groups and read out of them, in both versions; the driver's tests use real ones."""

from pathlib import Path

import pytest

from promptcraft.runtime.clients.cgroup import V1, V2, ControlGroups, Controller, find
from promptcraft.runtime.schemas import MEBIBYTE, Limits

LIMITS = Limits(memory_bytes=256 * MEBIBYTE, cpus=0.5, processes=40)


def test_version_1_gets_its_limits_in_its_own_words(tmp_path: Path):
    controllers = [Controller(name, V1, _directory(tmp_path / name)) for name in ("memory", "pids", "cpu", "cpuacct")]
    group = ControlGroups(controllers).create("one", LIMITS)

    assert (tmp_path / "memory/one/memory.limit_in_bytes").read_text() == "268435456"
    assert (tmp_path / "pids/one/pids.max").read_text() == "40"
    assert (tmp_path / "cpu/one/cpu.cfs_quota_us").read_text() == "50000"
    assert len(group.entrances) == 4


def test_version_2_gets_its_limits_in_its_own_words_and_no_swap(tmp_path: Path):
    home = _directory(tmp_path / "home")
    group_directory = _directory(home / "one")
    (group_directory / "memory.swap.max").touch()
    group = ControlGroups([Controller(name, V2, home) for name in ("memory", "pids", "cpu")]).create("one", LIMITS)

    written = {path.name: path.read_text() for path in group_directory.iterdir()}
    assert written == {
        "memory.max": "268435456",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "40",
        "cpu.max": "50000 100000",
    }
    assert group.entrances == (group_directory / "cgroup.procs",)


def test_version_2_usage_is_without_pages_the_kernel_would_drop_first(tmp_path: Path):
    home = _directory(tmp_path / "home")
    group = ControlGroups([Controller(name, V2, home) for name in ("memory", "cpu")]).create("one", LIMITS)
    (home / "one/cpu.stat").write_text("usage_usec 2500000\nuser_usec 2000000\n")
    (home / "one/memory.current").write_text("5000\n")
    (home / "one/memory.stat").write_text("anon 3000\ninactive_file 1500\n")
    (home / "one/memory.events").write_text("oom 1\noom_kill 1\n")

    usage = group.usage()

    assert usage is not None
    assert (usage.cpu_seconds, usage.memory_bytes) == (2.5, 3500)
    assert group.killed_for_memory()


@pytest.mark.parametrize("mounts", ["", "proc /proc proc rw 0 0\n", "cgroup2 {tmp}/none cgroup2 rw 0 0\n"])
def test_host_without_groups_to_write_has_none(tmp_path: Path, mounts: str):
    (tmp_path / "mounts").write_text(mounts.format(tmp=tmp_path))
    (tmp_path / "cgroup").write_text("0::/\n")

    groups = find(tmp_path / "runtime", proc=tmp_path)

    assert [groups.holds(name) for name in ("memory", "pids", "cpu")] == [None, None, None]
    assert groups.create("one", LIMITS).usage() is None


def _directory(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
