"""What every runtime driver has to do.

A driver's test module subclasses DriverContract and gives it the fixture `driver`, which yields a driver whose probe
has run, and closes it.
"""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from promptcraft.app.up.processes import identify
from promptcraft.runtime.clients import RuntimeDriver
from promptcraft.runtime.errors import AlreadyRunning, NotRunnable
from promptcraft.runtime.schemas import MEBIBYTE, Handle, Limits
from tests.runtime.programs import python, spec_of

PATIENCE_SECONDS = 30.0
T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """The first true value that `look` finds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := await look()):  # noqa: ASYNC110 -- what happens in another process sets no event here
            await asyncio.sleep(0.02)
    return found


async def ask(handle: Handle, path: str = "/health") -> dict[str, object] | None:
    """What the program answers on its socket; None while it does not."""
    try:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(handle.socket))) as client:
            return (await client.get(f"http://agent{path}")).json()
    except httpx.TransportError:
        return None


async def ended(driver: RuntimeDriver, handle: Handle) -> bool:
    return not (await driver.state(handle)).running


class DriverContract:
    async def test_program_answers_on_its_socket_until_it_is_stopped(self, driver: RuntimeDriver, tmp_path: Path):
        handle = await driver.start(spec_of(tmp_path / "v1"))

        answer = await eventually(lambda: ask(handle))
        outcome = await driver.stop(handle, 10)

        assert answer["status"] == "ok"
        assert (outcome.running, outcome.exit_code) == (False, 0)
        assert await ask(handle) is None
        assert await driver.stop(handle, 10) == outcome

    async def test_stopped_program_could_say_goodbye_and_its_output_stays_until_forgotten(self, driver, tmp_path):
        handle = await driver.start(spec_of(tmp_path / "v1"))
        await eventually(lambda: ask(handle))
        await driver.stop(handle, 10)

        assert [line for line in await driver.logs(handle.instance_id, 100) if "GET" not in line] == [
            "listening",
            "leaving",
        ]
        assert await driver.logs(handle.instance_id, 1) == ["leaving"]
        await driver.forget(handle.instance_id)
        assert await driver.logs(handle.instance_id, 100) == []

    async def test_program_that_will_not_leave_is_ended_after_the_grace(self, driver, tmp_path):
        stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
        handle = await driver.start(spec_of(tmp_path / "v1", stubborn))
        await eventually(lambda: driver.logs(handle.instance_id, 1))

        outcome = await driver.stop(handle, 0.2)

        assert (outcome.running, outcome.exit_code) == (False, -9)

    async def test_program_that_fails_says_with_what(self, driver, tmp_path):
        handle = await driver.start(spec_of(tmp_path / "v1", "import sys; print('oh no'); sys.exit(3)"))

        state = await driver.wait(handle)

        assert state == await driver.state(handle)
        assert (state.exit_code, state.reason) == (3, "ended with exit code 3")
        assert await driver.logs(handle.instance_id, 10) == ["oh no"]
        assert await driver.usage(handle) is None

    async def test_same_instance_does_not_run_twice_at_once_but_again_after_it_ended(self, driver, tmp_path):
        spec = spec_of(tmp_path / "v1")
        handle = await driver.start(spec)
        await eventually(lambda: ask(handle))

        with pytest.raises(AlreadyRunning):
            await driver.start(spec)
        await driver.stop(handle, 10)
        again = await driver.start(spec)

        assert await eventually(lambda: ask(again))

    async def test_stop_that_nobody_waits_for_is_carried_through_before_the_next_start(self, driver, tmp_path):
        stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
        spec = spec_of(tmp_path / "v1", stubborn)
        handle = await driver.start(spec)
        await eventually(lambda: driver.logs(spec.instance_id, 1))

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await driver.stop(handle, 0.5)
        again = await driver.start(spec)

        assert identify(handle.pid) is None
        assert (await driver.state(again)).running

    async def test_usage_counts_the_work_and_the_memory_of_the_program(self, driver, tmp_path):
        busy = "held = bytearray(50_000_000)\nheld[::4096] = b'x' * len(held[::4096])\nwhile True: pass"
        handle = await driver.start(spec_of(tmp_path / "v1", busy))

        async def worked() -> bool:
            usage = await driver.usage(handle)
            return usage is not None and usage.cpu_seconds > 0.5

        await eventually(worked)
        assert 50_000_000 < (await driver.usage(handle)).memory_bytes < 250_000_000

    async def test_command_runs_to_its_end_with_both_streams(self, driver, tmp_path):
        source = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(4)"

        done = await driver.run(spec_of(tmp_path / "v1"), [python(), "-c", source], 30)

        assert (done.exit_code, done.stdout, done.stderr) == (4, "out\n", "err\n")

    async def test_command_that_takes_too_long_is_ended_with_everything_it_started(self, driver, tmp_path):
        source = "import subprocess; print('begun', flush=True); subprocess.run(['sleep', '600'])"

        done = await driver.run(spec_of(tmp_path / "v1"), [python(), "-c", source], 1)

        assert done.exit_code is None
        assert done.stdout == "begun\n"

    async def test_only_what_the_specification_gives_is_in_the_environment(self, driver, tmp_path, monkeypatch):
        monkeypatch.setenv("PLATFORM_SECRET", "not for programs")
        source = "import json, os; print(json.dumps(dict(os.environ)))"

        done = await driver.run(spec_of(tmp_path / "v1", variables={"AGENT_NAME": "x"}), [python(), "-c", source], 30)

        seen = json.loads(done.stdout)
        assert seen["AGENT_NAME"] == "x"
        assert "PLATFORM_SECRET" not in seen
        assert "not for programs" not in done.stdout

    async def test_code_is_read_only_and_scratch_is_not_kept(self, driver, tmp_path):
        spec = spec_of(tmp_path / "v1")
        write = "import os; open(os.environ['TMPDIR'] + '/note', 'w').write('x'); open('main.py', 'a')"

        refused = await driver.run(spec, [python(), "-c", write], 30)
        looked = await driver.run(spec, [python(), "-c", "import os; print(os.listdir(os.environ['TMPDIR']))"], 30)

        assert refused.exit_code == 1
        assert "main.py" in refused.stderr
        assert looked.stdout == "[]\n"

    @pytest.mark.parametrize(
        ("greedy", "sign"),
        [
            ("held = bytearray(600 * 1024 * 1024); held[::4096] = b'x' * len(held[::4096])", ("", "MemoryError")),
            ("import mmap; m = mmap.mmap(-1, 900 << 20); m[::4096] = b'x' * len(m[::4096])", ("", "OSError")),
            ("import os\nfor _ in range(200):\n  if not os.fork(): import time; time.sleep(60)", ("BlockingIOError",)),
            ("import os; open(os.environ['TMPDIR'] + '/big', 'wb').write(bytes(33 * 1024 * 1024))", ("OSError",)),
        ],
        ids=["memory", "shared memory", "processes", "file size"],
    )
    async def test_limit_holds(self, driver, tmp_path, greedy, sign):
        limits = Limits(cpus=2, memory_bytes=256 * MEBIBYTE, file_bytes=32 * MEBIBYTE, processes=32)

        done = await driver.run(spec_of(tmp_path / "v1", limits=limits), [python(), "-c", greedy], 60)

        assert done.exit_code not in (0, None)
        assert any(word in done.stderr for word in sign)

    async def test_what_costs_no_memory_is_not_taken_for_it(self, driver, tmp_path):
        """Libraries, weights in files, and the stacks of threads, are most of an agent's addresses."""
        limits = Limits(cpus=2, memory_bytes=256 * MEBIBYTE)
        reserve = (
            "import mmap, threading, time; m = mmap.mmap(-1, 300 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 1)\n"
            "[threading.Thread(target=time.sleep, args=(0.1,)).start() for _ in range(20)]"
        )

        done = await driver.run(spec_of(tmp_path / "v1", limits=limits), [python(), "-c", reserve], 60)

        assert (done.exit_code, done.stderr) == (0, "")

    async def test_scratch_as_a_whole_is_bounded(self, driver, tmp_path):
        limits = Limits(cpus=2, scratch_bytes=8 * MEBIBYTE)
        fill = "import os\nfor n in range(20): open(f\"{os.environ['TMPDIR']}/{n}\", 'wb').write(bytes(1 << 20))"

        done = await driver.run(spec_of(tmp_path / "v1", limits=limits), [python(), "-c", fill], 60)

        assert "No space left" in done.stderr

    async def test_socket_mounted_by_name_reaches_who_listens_there(self, driver, tmp_path, short_directory):
        call = (
            "import os, socket; s = socket.socket(socket.AF_UNIX); "
            "s.connect(os.environ['PLATFORM_SOCKETS'] + '/models.sock'); print(s.recv(100).decode())"
        )
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(short_directory / "of-the-test"))
            listener.listen()
            greeting = asyncio.create_task(_greet(listener))
            spec = spec_of(tmp_path / "v1", extra_sockets={"models": short_directory / "of-the-test"})
            done = await driver.run(spec, [python(), "-c", call], 30)
            await greeting

        assert done.stdout == "hello agent\n"

    async def test_socket_that_is_not_there_is_refused_before_anything_starts(self, driver, tmp_path, short_directory):
        spec = spec_of(tmp_path / "v1", extra_sockets={"models": short_directory / "nobody"})

        with pytest.raises(NotRunnable, match="models"):
            await driver.start(spec)

        assert not (await driver.state(Handle(instance_id=spec.instance_id, socket=Path("none"), pid=0))).running

    async def test_program_cannot_pass_off_another_socket_as_its_own(self, driver, tmp_path, short_directory):
        """The platform connects to what a program put there: a link would lead it to a socket of somebody else."""
        target = short_directory / "somebody-elses"
        deceiver = f"import os, time; os.symlink({str(target)!r}, os.environ['AGENT_SOCKET']); print(1, flush=True)"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(target))
            listener.listen()
            handle = await driver.start(spec_of(tmp_path / "v1", deceiver + "; time.sleep(2)"))
            await eventually(lambda: ended(driver, handle))

            assert not await asyncio.to_thread(os.path.lexists, handle.socket)


async def _greet(listener: socket.socket) -> None:
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(listener)
    with connection:
        await loop.sock_sendall(connection, b"hello agent")
