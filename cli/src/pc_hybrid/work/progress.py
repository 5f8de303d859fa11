"""A creation or a deployment, followed step by step until it ends."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread

from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Style, Terminal
from pc_hybrid.text import clipped, next_line, padded, safe, width
from promptcraft_sdk.client import ApiError, Client, ClientError, Stream, TimedOut, Unreachable, api
from promptcraft_sdk.client.schemas import Progress, Step

_COLUMNS = 79
_NAME_COLUMNS = 13
_TICK, _SLOWEST_POLL = 0.1, 1.0
# A platform that restarts is away for a moment; what it had begun goes on when it is back.
_PATIENCE = 60.0
_MARKS: dict[str, tuple[str, Style]] = {
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("✗", "yellow"),
    "undone": ("·", "dim"),
}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def follow(
    terminal: Terminal,
    client: Client,
    stream: Stream[Progress] | None,
    poll: Callable[[], Progress],
    *,
    title: str,
    what: str,
    resume: str,
    time_limit: float,
) -> Progress:
    """Prints each step as it ends, and answers the last state. Leaving early leaves the work going on.

    The stream is followed live; where there is none, or it is refused or broke for good, `poll` asks now and then.
    """
    view = _View(terminal)
    deadline = time.monotonic() + time_limit
    try:
        terminal.say(title)
        for state in _states(client, stream, poll, deadline):
            view.update(state)
            if state.finished:
                return state
            if time.monotonic() > deadline:
                break
            view.draw(state)
        raise Failure(
            f"{what} is still under way after {time_limit:g} s", exit_code=ExitCode.TIMED_OUT, next_step=resume
        )
    except KeyboardInterrupt:
        view.clear()
        terminal.say(f"Left; {what} goes on at the platform.\nResume:  {resume}")
        raise
    finally:
        view.clear()


def conclude(terminal: Terminal, client: Client, end: Progress) -> None:
    """The last word: the agent as it is now, or why there is none."""
    settle(terminal, end)
    agent = client.send(api.agent(end.agent_name))
    places = [instance.environment for instance in agent.instances if instance.status == agent.status]
    where = f" in {safe(', '.join(places))}" if places else ""
    seconds = sum(step.seconds or 0 for step in end.steps)
    terminal.data(end, [f"{safe(agent.name)} {safe(agent.version)} is {safe(agent.status)}{where} ({seconds:.1f} s)"])
    if end.next_step:
        terminal.say(next_line(end.next_step))


def settle(terminal: Terminal, end: Progress) -> None:
    """What went along with it, and why it failed where it did."""
    for warning in dict.fromkeys(end.warnings):
        terminal.warn(warning)
    if end.status != "completed":
        if terminal.format != "table" or terminal.select is not None:
            terminal.data(end, [])
        raise _failure(end)


def _failure(end: Progress) -> Failure:
    """Which step failed, and why."""
    failed = next((step for step in end.steps if step.error), None)
    reason = end.error or (failed.error if failed else None)
    undone = ", what came before it was undone" if any(step.status == "undone" for step in end.steps) else ""
    return Failure(
        f"{end.agent_name}: {failed.name} failed{undone}" if failed else f"{end.agent_name}: {end.status}",
        why=[("", line) for line in (reason or "").splitlines()],
        next_step=end.next_step or "",
    )


def aligned(left: str, right: str, seconds: float | None, *, indent: int = 0) -> str:
    """One line of progress: what, an outcome, and its time at the right edge. `indent` columns stand before it."""
    took = "" if seconds is None else f"{seconds:.1f} s"
    room = _COLUMNS - indent - 9 - (width(right) + 2 if right else 0)
    return f"{padded(clipped(left, room), room)}{f'  {right}' if right else ''}{took:>9}"


def _states(
    client: Client, stream: Stream[Progress] | None, poll: Callable[[], Progress], deadline: float
) -> Iterator[Progress]:
    """The state as it is, every tenth of a second."""
    if stream is not None:
        yield from _told(client, stream, deadline)
    yield from _polled(poll, deadline)


def _told(client: Client, stream: Stream[Progress], deadline: float) -> Iterator[Progress]:
    heard: Queue[Progress | None] = Queue()

    def listen() -> None:
        # The client is this thread's alone until it says that it is done with it.
        with suppress(ClientError, RuntimeError):  # the latter once the command has left and closed it
            for event in client.stream(stream):
                heard.put(event.data)
        heard.put(None)

    Thread(target=listen, name="events", daemon=True).start()
    state: Progress | None = None
    while time.monotonic() < deadline:
        try:
            told = heard.get(timeout=_TICK)
        except Empty:
            told = state
        else:
            if told is None:
                break
        if told is not None:
            state = told
            yield told


def _polled(poll: Callable[[], Progress], deadline: float) -> Iterator[Progress]:
    pause = _TICK
    while True:
        state = _patiently(poll, deadline)
        until = time.monotonic() + pause
        while (rest := until - time.monotonic()) > 0:
            yield state
            time.sleep(min(rest, _TICK))
        yield state
        pause = min(pause * 1.3, _SLOWEST_POLL)


def _patiently(poll: Callable[[], Progress], deadline: float) -> Progress:
    """The state, although the platform may be away for a moment."""
    patience = min(time.monotonic() + _PATIENCE, deadline)
    while True:
        try:
            return poll()
        except (ApiError, Unreachable, TimedOut) as error:
            passing = not isinstance(error, ApiError) or error.status in (502, 503)
            if not passing or time.monotonic() > patience:
                raise
        time.sleep(_SLOWEST_POLL)


class _View:
    """Steps that ended stand; the one that runs is drawn over, where the terminal can."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown: set[str] = set()
        self._drawn = False
        self._frame = 0

    def update(self, state: Progress) -> None:
        for step in state.steps:
            if step.name not in self._shown and step.status in _MARKS:
                self._shown.add(step.name)
                self.clear()
                self._terminal.say(self._line(step))

    def clear(self) -> None:
        if self._drawn:
            self._terminal.say("\r\x1b[K", end="")
            self._drawn = False

    def draw(self, state: Progress) -> None:
        if not self._terminal.live:
            return
        running = next((step.name for step in state.steps if step.status == "running"), state.phase or state.status)
        self._frame += 1
        self._terminal.say(f"\r\x1b[K  {_SPINNER[self._frame % len(_SPINNER)]} {safe(running)}", end="")
        self._drawn = True

    def _line(self, step: Step) -> str:
        mark, style = _MARKS[step.status]
        detail = step.detail or ("undone" if step.status == "undone" else "")
        what = f"{padded(safe(step.name), _NAME_COLUMNS)} {safe(detail)}"
        return f"  {self._terminal.paint(mark, style, sys.stderr)} {aligned(what, '', step.seconds, indent=4)}"
