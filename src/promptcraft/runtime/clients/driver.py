"""The face of every engine that runs programs: bubblewrap on this host now, Docker and Kubernetes later."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from promptcraft.runtime.schemas import CompletedRun, Handle, InstanceSpec, IsolationReport, ProgramState, Usage


class RuntimeDriver(Protocol):
    """Starts programs, keeps them in, and ends them all when its own process ends.

    `tests/runtime/driver_contract.py` is what every implementation has to pass. Call it from one event loop, in the
    main thread.
    """

    async def probe(self) -> IsolationReport:
        """Sweep what a killed predecessor left, then prove the isolation from inside. Call once, before anything
        else.
        """
        ...

    async def clear_up(self) -> None:
        """For a driver that only runs commands, before its first, which may be long after: sweep what commands left
        whose process was killed. It needs no probe.
        """
        ...

    async def start(self, spec: InstanceSpec) -> Handle:
        """Start a program and return as soon as it is launched. Raises IsolationUnavailable, NotRunnable,
        AlreadyRunning.
        """
        ...

    async def stop(self, handle: Handle, grace_seconds: float) -> ProgramState:
        """Ask it to end (SIGTERM), after the grace end it and all it started, clear up. Twice is harmless.

        A caller that is cancelled does not hold it up, and a start of the same instance waits for its end.
        """
        ...

    async def state(self, handle: Handle) -> ProgramState:
        """Whether it runs, else how it ended. A program that this driver does not know is not running."""
        ...

    async def usage(self, handle: Handle) -> Usage | None:
        """What it has used: CPU seconds since its start, bytes of memory now; None when it does not run."""
        ...

    async def run(self, spec: InstanceSpec, argv: Sequence[str], timeout: float) -> CompletedRun:
        """Run a command to its end, with the spec's files, limits and isolation, and without its socket.

        Time out: everything it started is ended and `exit_code` is None. Raises IsolationUnavailable, NotRunnable.
        """
        ...

    async def wait(self, handle: Handle) -> ProgramState:
        """Return when it has ended, by itself or stopped, with how; at once for one that this driver does not know."""
        ...

    async def logs(self, instance_id: UUID, lines: int) -> list[str]:
        """The last lines of its output, oldest first; of programs that ended too, whichever process started them."""
        ...

    async def forget(self, instance_id: UUID) -> None:
        """End it if it runs, and remove what is kept of it, its output included."""
        ...

    async def close(self) -> None:
        """End every program of this driver."""
        ...
