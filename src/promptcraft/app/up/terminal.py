"""What `up` says: short, calm, aligned, the next step last; colour only where there is a terminal."""

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from promptcraft.app.up.errors import UpError

_GREEN, _YELLOW, _RED, _DIM, _PLAIN = "\033[32m", "\033[33m", "\033[31m", "\033[2m", "\033[0m"
_TAIL_LINES = 12
_TAIL_BYTES = 16_384


def process_began() -> float:
    """When this process was started, on the monotonic clock: what a person waits for includes our imports."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


@dataclass
class Terminal:
    """Talk goes to standard error; the one thing that is data, where to go, to standard output."""

    talk: TextIO = field(default_factory=lambda: sys.stderr)
    data: TextIO = field(default_factory=lambda: sys.stdout)
    verbose: bool = False
    began: float = field(default_factory=process_began)
    stepped: float = 0.0

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def moment(self, what: str) -> None:
        """One line of the time line, for `--verbose`."""
        if self.verbose:
            self._say(self.talk, f"{_DIM}{self.seconds():7.3f} s  {what}{_PLAIN}")

    def step(self, name: str, outcome: str) -> None:
        """A stage that is done, and the time since the one before."""
        now = self.seconds()
        self._say(self.talk, f"  {_GREEN}✓{_PLAIN} {name:<10} {outcome:<52}{now - self.stepped:5.1f} s")
        self.stepped = now

    def line(self, text: str = "") -> None:
        self._say(self.talk, text)

    def fact(self, name: str, value: str) -> None:
        self.line(f"  {name:<15} {value}")

    def warning(self, text: str) -> None:
        self._say(self.talk, f"{_YELLOW}Warning:{_PLAIN} {text}")

    def problem(self, text: str) -> None:
        self._say(self.talk, f"{_RED}Problem:{_PLAIN} {text}")

    def result(self, text: str) -> None:
        self._say(self.data, text)

    def refusal(self, error: UpError) -> None:
        self._say(self.talk, f"{_RED}Error:{_PLAIN} {error}")
        if error.next_step:
            self._say(self.talk, error.next_step)

    def tail(self, log: Path) -> None:
        """The last lines of a log, for somebody who has to know why."""
        for line in last_lines(log):
            self._say(self.talk, f"  {_DIM}| {line}{_PLAIN}")

    def _say(self, stream: TextIO, text: str) -> None:
        if not stream.isatty():
            for colour in (_GREEN, _YELLOW, _RED, _DIM, _PLAIN):
                text = text.replace(colour, "")
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            print(text.encode("ascii", "replace").decode(), file=stream, flush=True)
        except (OSError, ValueError):
            return  # whoever read us has left, or the disk is full; the platform goes on


def last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    except OSError:
        return []
