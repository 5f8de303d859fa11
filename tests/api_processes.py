"""API processes of their own, on a module's platform: real servers, any number of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import httpx

_START_SECONDS = 60


@dataclass
class ApiProcess:
    """One of them; `url` is where it answers."""

    url: str
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def api_process(environment: dict[str, str], log: Path) -> Iterator[ApiProcess]:
    """An API process that answers, until the block ends."""
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, "-P", "-m", "promptcraft.app", "serve", "--listen-fd", str(listening.fileno())]
        with log.open("ab") as said:
            process = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], **environment},
                pass_fds=[listening.fileno()],
                stdout=said,
                stderr=said,
            )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if httpx.get(f"{url}/health/live", timeout=2).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.05)
        assert process.poll() is None, log.read_text()
        yield ApiProcess(url, process)
    finally:
        process.terminate()
        process.wait(20)
