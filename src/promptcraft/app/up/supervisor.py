"""Keeps a set of processes alive, and ends them in order.

It runs in the main thread alone, and takes its signals one by one.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promptcraft.app.up import datadir
from promptcraft.app.up.datadir import DataDirectory
from promptcraft.app.up.errors import StopRequested
from promptcraft.app.up.processes import Pause, ended, identify, reap, wait_until
from promptcraft.app.up.signals import pause
from promptcraft.app.up.terminal import Terminal

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# a process that lived this long is well again: its next death is a first one
_WELL_AFTER = 60.0
_CRASH_LOOP = 3
_TICK = 0.5


@dataclass
class Child:
    """A process that shall be there, and how it is started again when it is not."""

    name: str
    process: subprocess.Popen[bytes]
    start: Callable[[], subprocess.Popen[bytes]]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10
    began: float = field(default_factory=time.monotonic)
    deaths: int = 0
    due: float | None = None


@dataclass
class Supervisor:
    """The processes of one data directory."""

    place: DataDirectory
    terminal: Terminal
    state: dict[str, object]
    children: dict[str, Child] = field(default_factory=dict)

    def add(self, child: Child) -> None:
        self.children[child.name] = child
        self.remember()

    def remember(self) -> None:
        """Write down who is alive, so that a successor knows what a killed supervisor left."""
        alive = {child.name: identify(child.process.pid) for child in self.children.values() if child.due is None}
        self.state["children"] = {
            name: {"pid": who.pid, "started": who.started} for name, who in alive.items() if who is not None
        }
        try:
            datadir.write_state(self.place, self.state)
        except OSError as problem:
            self.terminal.problem(f"{self.place.state_file} cannot be written: {problem.strerror}")

    def keep(self) -> None:
        """Start again what ends, until a stop is requested."""
        while True:
            pause(self._until_due())
            self.mend()

    def mend(self) -> None:
        """Reap what has ended and start what is due."""
        for child in list(self.children.values()):
            if child.due is None and ended(child.process):
                self._died(child)
            elif child.due is not None and time.monotonic() >= child.due:
                self._start_again(child)

    def _until_due(self) -> float:
        waiting = [child.due - time.monotonic() for child in self.children.values() if child.due is not None]
        return max(0.01, min([_TICK, *waiting]))

    def _died(self, child: Child) -> None:
        status = reap(child.process)
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self._rest(child, how)

    def _rest(self, child: Child, how: str) -> None:
        """Start it again after a pause, longer each time."""
        lived = time.monotonic() - child.began
        child.deaths = 1 if lived >= _WELL_AFTER else child.deaths + 1
        rest = min(_FIRST_PAUSE * 2 ** (child.deaths - 1), _LONGEST_PAUSE)
        child.due = time.monotonic() + rest
        if child.deaths == _CRASH_LOOP:
            self.terminal.problem(f"{child.name} keeps failing: it {how}, {child.deaths} times in a row")
            self.terminal.tail(child.log)
            self.terminal.line(f"It is tried again, less and less often. Its log:  {child.log}")
        else:
            self.terminal.problem(f"{child.name} {how}; starting it again in {rest:g} s (log: {child.log})")
        self.remember()

    def _start_again(self, child: Child) -> None:
        child.began, child.due = time.monotonic(), None
        try:
            child.process = child.start()
        except OSError as problem:
            self._rest(child, f"could not be started ({problem.strerror})")
        else:
            self.remember()

    def stop(self, order: Sequence[Sequence[str]]) -> None:
        """End the children group after group; a second request kills all but the last group, the servers."""
        *before, servers = order
        try:
            for names in before:
                self._stop_group(names, pause)
        except StopRequested:
            self.terminal.line("Stopping at once")
            for name in (name for names in before for name in names if name in self.children):
                reap(self.children[name].process)
        # killed servers would have to recover at the next start: no request is heard any more
        self._stop_group(servers, time.sleep)
        for child in self.children.values():
            reap(child.process)

    def _stop_group(self, names: Sequence[str], wait: Pause) -> None:
        group = [self.children[name] for name in names if name in self.children]
        running = [child for child in group if child.process.returncode is None]
        asked = time.monotonic()
        for child in running:
            os.kill(child.process.pid, child.stop_signal)
        for child in running:
            left = max(0.0, asked + child.stop_seconds - time.monotonic())
            if not wait_until(lambda child=child: ended(child.process), left, wait):
                self.terminal.problem(f"{child.name} did not stop within {child.stop_seconds:g} s and was killed")
            reap(child.process)
            self.terminal.moment(f"{child.name} stopped")
