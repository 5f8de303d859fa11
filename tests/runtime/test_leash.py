"""A runtime that is killed while it starts programs: each of them is at another point of becoming confined."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from promptcraft.runtime.clients import HostPlaces
from tests.runtime.driver_contract import eventually

_ROOT = Path(__file__).parents[2]
_RUNTIME = """
import asyncio, sys
from pathlib import Path
from promptcraft.runtime.clients import HostPlaces, ProcessDriver
from tests.runtime.programs import python, spec_of

async def main(runtime, sockets, logs, code, marker):
    driver = ProcessDriver(HostPlaces(Path(runtime), Path(sockets), Path(logs)))
    await driver.probe()
    specs = [spec_of(Path(code), argv=(python(), "main.py", marker)) for _ in range(12)]
    print("starting", flush=True)
    await asyncio.gather(*(driver.start(spec) for spec in specs))
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


def marked(marker: str) -> list[Path]:
    """Every process that runs with this marker among its arguments."""
    return [process for process in Path("/proc").glob("[0-9]*") if marker in _told(process, "cmdline")]


def confined(marker: str) -> list[Path]:
    """Those of them that are in a process namespace of their own, though perhaps not for long yet."""
    return [process for process in marked(marker) if re.search(r"NSpid:\t\d+\t\d+", _told(process, "status"))]


def _told(process: Path, what: str) -> str:
    try:
        return (process / what).read_text()
    except OSError:
        return ""


@pytest.mark.parametrize(("moment", "under_way"), [(marked, 1), (marked, 6), *((confined, n) for n in range(12))])
async def test_nothing_survives_a_runtime_killed_amid_starting_programs(
    tmp_path: Path, short_directory: Path, moment: Callable[[str], list[Path]], under_way: int
) -> None:
    places = HostPlaces(tmp_path / "runtime", short_directory / "a", tmp_path / "logs")
    marker = f"marker-{uuid4().hex}"
    arguments = (places.runtime_directory, places.socket_directory, places.log_directory, tmp_path / "v1")
    runtime = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUNTIME, *map(str, arguments), marker, stdout=subprocess.PIPE, cwd=_ROOT
    )
    assert runtime.stdout
    assert await runtime.stdout.readline() == b"starting\n"

    async def enough() -> bool:
        return len(moment(marker)) > under_way

    await eventually(enough)
    runtime.kill()
    await runtime.wait()

    async def none_left() -> bool:
        return not marked(marker)

    await eventually(none_left)
