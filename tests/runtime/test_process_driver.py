"""The process driver keeps the contract, keeps programs in, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from promptcraft.app.up.processes import identify
from promptcraft.runtime.clients import HostPlaces, ProcessDriver, host_places, inside
from promptcraft.runtime.clients.launch import program_behind
from promptcraft.runtime.errors import AlreadyRunning, IsolationUnavailable, NotRunnable
from tests.runtime.driver_contract import PATIENCE_SECONDS, DriverContract, ask, ended, eventually
from tests.runtime.programs import python, spec_of, without_bubblewrap


@pytest.fixture
def places(tmp_path: Path, short_directory: Path) -> HostPlaces:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "secret").write_text("secret")
    return HostPlaces(data / "runtime", short_directory / "a", data / "logs", hidden=(data,))


@pytest.fixture
async def driver(places: HostPlaces) -> AsyncIterator[ProcessDriver]:
    driver = ProcessDriver(places)
    report = await driver.probe()
    if not report.isolated:
        pytest.skip(f"this host cannot isolate: {'; '.join(report.warnings)}")
    yield driver
    await driver.close()


class TestProcessDriver(DriverContract):
    pass


async def test_probe_gets_out_nowhere(places: HostPlaces, short_directory: Path):
    with _listening(short_directory / "postgres", short_directory / "valkey") as guarded:
        driver = ProcessDriver(HostPlaces(*_three(places), hidden=places.hidden, guarded_sockets=guarded))
        report = await driver.probe()
        await driver.close()

    assert report.isolated, report.warnings
    assert report.separation == ("own uid" if os.geteuid() == 0 else "user namespace")
    assert set(report.checks.values()) == {"held"}
    assert set(report.checks) > {"host_loopback", "platform_sockets", "host_files", "other_programs_sockets", "signals"}


@pytest.mark.skipif(not os.access("/usr/local", os.W_OK), reason="nobody but root has data there")
async def test_walls_hold_around_a_data_directory_below_usr(short_directory: Path):
    with tempfile.TemporaryDirectory(prefix="promptcraft-", dir="/usr/local") as data:
        driver = ProcessDriver(host_places(Path(data), short_directory))
        report = await driver.probe()
        await driver.close()

    assert report.isolated, report.warnings


def test_probe_notices_every_way_out_where_there_is_no_wall(tmp_path: Path, short_directory: Path):
    """The same attempts, made by a plain child of this process: those that need no privilege must succeed."""
    (tmp_path / "file").touch()
    with _listening(short_directory / "postgres", short_directory / "neighbour") as guarded, socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        targets = {
            "addresses": [tcp.getsockname()],
            "abstract": "nobody",
            "sockets": [str(guarded[0])],
            "neighbours": [str(guarded[1])],
            "files": [str(tmp_path)],
            "pids": [os.getpid()],
            "variables": [],
            "read_only": [str(tmp_path)],
            "settings": [],
        }
        argv = [sys.executable, str(inside.__file__), json.dumps(targets)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)

    leaked = {name for name, out in json.loads(done.stdout).items() if out}
    assert leaked >= {
        "host_loopback",
        "platform_sockets",
        "other_programs_sockets",
        "host_files",
        "other_programs_files",
        "other_processes",
        "signals",
        "other_memory",
        "seccomp",
        "new_privileges",
        "environment",
        "write_outside_scratch",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives programs uids of their own")
async def test_started_by_root_every_program_is_another_user_without_privileges(driver, tmp_path):
    handles = [await driver.start(spec_of(tmp_path / "v1")) for _ in range(2)]

    uids = {int(str((await eventually(lambda handle=handle: ask(handle)))["uid"])) for handle in handles}

    assert len(uids) == 2
    assert min(uids) > 65_536
    for fields in [_status_of_program(handle.pid) for handle in handles]:
        assert {int(uid) for uid in fields["Uid"].split()} <= uids
        assert (int(fields["CapEff"], 16), fields["NoNewPrivs"], fields["Seccomp"]) == (0, "1", "2")


async def test_sandbox_tells_no_program_where_things_are_on_the_host(driver, tmp_path):
    done = await driver.run(spec_of(tmp_path / "v1"), ["cat", "/proc/1/cmdline", "/proc/self/environ"], 30)

    assert str(tmp_path) not in done.stdout


async def test_directory_that_holds_the_platforms_data_is_not_mounted(driver, places, tmp_path):
    with pytest.raises(NotRunnable, match="must not see"):
        await driver.run(spec_of(tmp_path / "v1", code=places.runtime_directory.parent.parent), ["ls"], 30)


async def test_program_that_met_its_memory_limit_says_so(driver, tmp_path):
    handle = await driver.start(spec_of(tmp_path / "v1", "x = []\nwhile True: x.append(bytes(1 << 20))"))

    await eventually(lambda: ended(driver, handle))

    reason = (await driver.state(handle)).reason
    assert reason == "ended at its memory limit" or "MemoryError" in "".join(await driver.logs(handle.instance_id, 5))


async def test_program_whose_output_cannot_be_kept_goes_on(driver, places, tmp_path):
    spec = spec_of(tmp_path / "v1", "print('x' * 10_000_000, flush=True)")
    (places.log_directory / f"{spec.instance_id}.log").mkdir()

    async with asyncio.timeout(PATIENCE_SECONDS):
        state = await driver.wait(await driver.start(spec))

    assert (state.running, state.exit_code) == (False, 0)


async def test_second_runtime_on_the_same_directory_is_refused(driver, places):
    with pytest.raises(AlreadyRunning):
        await ProcessDriver(places).probe()


async def test_killed_runtime_takes_its_programs_along_and_the_next_one_clears_up(places, tmp_path):
    runtime = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _RUNTIME,
        *map(str, (*_three(places), tmp_path / "v1")),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    pids = [int(pid) for pid in (await runtime.stdout.readline()).split()]
    assert all(_alive(pid) for pid in pids)

    runtime.send_signal(signal.SIGKILL)
    await runtime.wait()

    await eventually(lambda: _none_of(pids))
    assert list(places.socket_directory.iterdir())
    driver = ProcessDriver(places)
    await driver.probe()
    assert list(places.socket_directory.iterdir()) == []
    await driver.close()


async def test_drivers_for_commands_stand_beside_the_runtime_and_each_other(driver, places, tmp_path):
    handle = await driver.start(spec_of(tmp_path / "v1"))
    await eventually(lambda: ask(handle))
    commands = HostPlaces(places.runtime_directory / "c", places.socket_directory / "c", places.log_directory)
    one, other = (ProcessDriver(commands, exclusive=False) for _ in range(2))

    first = await asyncio.gather(*(each.run(spec_of(tmp_path / "v1"), ["echo", "hello"], 30) for each in (one, other)))
    await one.close()
    second = await other.run(spec_of(tmp_path / "v1"), ["echo", "again"], 30)
    await other.close()

    assert [done.stdout for done in (*first, second)] == ["hello\n", "hello\n", "again\n"]
    assert await ask(handle)


@pytest.fixture
def unburied() -> Iterator[int]:
    """A process that has ended and that nobody has waited for."""
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        yield dead.pid


async def test_what_a_dead_worker_left_is_cleared_up_though_nobody_buried_it(places: HostPlaces, unburied: int):
    theirs, ours = (places.socket_directory / f"run-{pid}-0123456789ab" for pid in (unburied, os.getpid()))
    for directory in (theirs, ours):
        directory.mkdir(parents=True)
    driver = ProcessDriver(places, exclusive=False)

    await driver.clear_up()
    await driver.close()

    assert (theirs.exists(), ours.exists()) == (False, True)


class TestWhereNothingIsolates:
    @pytest.fixture
    async def open_driver(self, places, tmp_path, monkeypatch) -> AsyncIterator[ProcessDriver]:
        """A driver on a host that has everything but bubblewrap."""
        monkeypatch.setenv("PATH", str(without_bubblewrap(tmp_path / "bin")))
        driver = ProcessDriver(places)
        yield driver
        await driver.close()

    async def test_foreign_code_is_refused(self, open_driver, tmp_path):
        report = await open_driver.probe()

        assert (report.isolated, report.separation, report.network) == (False, "none", "host")
        assert "apt-get install bubblewrap" in report.warnings[0]
        with pytest.raises(IsolationUnavailable):
            await open_driver.start(spec_of(tmp_path / "v1"))

    async def test_unmodified_agent_of_the_template_runs(self, open_driver, tmp_path):
        await open_driver.probe()
        handle = await open_driver.start(spec_of(tmp_path / "v1", trusted_template=True))

        assert await eventually(lambda: ask(handle))
        assert (await open_driver.stop(handle, 10)).exit_code == 0

    async def test_foreign_code_runs_where_the_administrator_allowed_it(self, open_driver, places, tmp_path):
        del open_driver  # it made the host what it is
        driver = ProcessDriver(places, allow_unisolated=True)
        await driver.probe()

        done = await driver.run(spec_of(tmp_path / "v1"), [python(), "-c", "print(1)"], 30)

        assert done.stdout == "1\n"
        await driver.close()


_RUNTIME = """
import asyncio, sys
from pathlib import Path
from promptcraft.runtime.clients import HostPlaces, ProcessDriver
from promptcraft.runtime.clients.launch import children, program_behind
from tests.runtime.driver_contract import ask, eventually
from tests.runtime.programs import spec_of

async def main():
    driver = ProcessDriver(HostPlaces(*map(Path, sys.argv[1:4])))
    await driver.probe()
    handle = await driver.start(spec_of(Path(sys.argv[4])))
    await eventually(lambda: ask(handle))
    print(handle.pid, *children(handle.pid), program_behind(handle.pid), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def _three(places: HostPlaces) -> tuple[Path, Path, Path]:
    return places.runtime_directory, places.socket_directory, places.log_directory


@contextmanager
def _listening(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """UNIX sockets that answer, as PostgreSQL's and Valkey's would."""
    with ExitStack() as stack:
        for path in paths:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(path))
            listener.listen()
        yield paths


def _status_of_program(bwrap: int) -> dict[str, str]:
    lines = Path(f"/proc/{program_behind(bwrap)}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _alive(pid: int) -> bool:
    return identify(pid) is not None


async def _none_of(pids: list[int]) -> bool:
    return not any(_alive(pid) for pid in pids)
