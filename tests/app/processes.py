"""What tests ask the kernel about processes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptcraft.app.up.processes import Identity, identify

HERE = Path(__file__).parent


def descendants(pid: int) -> list[Identity]:
    """Every process below `pid`, grandchildren and agents included."""
    parents = {int(entry.name): parent_of(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")}
    found, front = [], {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        found += [who for child in front if (who := identify(child))]
    return found


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def listening_tcp(pids: Iterator[int] | list[int]) -> list[str]:
    """The TCP addresses that any of these processes listens on."""
    inodes = {link for pid in pids for link in _open_sockets(pid)}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]


def _open_sockets(pid: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(descriptor.readlink())
        except OSError:
            continue


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def all_gone(who: list[Identity]) -> bool:
    return eventually(lambda: not any(process.alive() for process in who))


@dataclass
class Running:
    """An `up` in a process of its own, as a person has it in a terminal."""

    process: subprocess.Popen[bytes]
    talk_file: Path
    where: dict[str, Any]

    @property
    def talk(self) -> str:
        return self.talk_file.read_text()

    @property
    def data(self) -> Path:
        return Path(self.where["data_dir"])

    def put_away(self) -> None:
        """End it in order if the test did not, so that nothing is left of it anywhere."""
        if self.process.poll() is None:
            try:
                self.end()
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.communicate()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=60)


def start(argv: list[str], talk_file: Path, environment: dict[str, str] | None = None) -> Running:
    """Start an `up` that says one line of JSON when it is ready, and wait for that line or its end."""
    with talk_file.open("wb") as talk:
        process = subprocess.Popen(
            [sys.executable, *argv],
            stdout=subprocess.PIPE,
            stderr=talk,
            env={"PATH": os.environ["PATH"], "HOME": str(talk_file.parent)} | (environment or {}),
            start_new_session=True,
        )
    running = Running(process, talk_file, {})
    if process.stdout and select.select([process.stdout], [], [], 120)[0] and (line := process.stdout.readline()):
        running.where = json.loads(line)
    return running


def with_stand_ins(data_dir: Path, port: int = 0) -> list[str]:
    return [str(HERE / "up_with_stand_ins.py"), str(data_dir), str(port)]
