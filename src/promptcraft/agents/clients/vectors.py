"""The program that makes passage vectors, in the environment that agents run in: the only one that needs the model."""

import asyncio
import fcntl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from promptcraft.agents.errors import VectorsBusy, VectorsNotMade

_LONGEST_SECONDS = 3600.0


async def make_vectors(environment: Path, index: Path, target: Path, lock: Path) -> int:
    """Write the vectors of an index to the directory `target`; returns how many. One at a time by the file `lock`.

    Raises VectorsBusy while others are made on this host, VectorsNotMade with the reason where they cannot be.
    """
    async with _alone(lock):
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", "19",
            str(environment / "bin" / "python"), "-m", "promptcraft_sdk.dense", str(index), str(target),
            # one thread, as in an agent, and what nobody else wants of the host: it shall take its time
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                output, errors = await process.communicate()
        except TimeoutError:
            raise VectorsNotMade(f"They were not made within {_LONGEST_SECONDS:g} s.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        said = errors.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise VectorsNotMade(said[-1][:500])
    return int(output)


@asynccontextmanager
async def _alone(lock: Path) -> AsyncGenerator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VectorsBusy from None
        yield
