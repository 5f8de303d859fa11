"""How a command fails: what happened, why, what to do next, and the exit code that a script can act on."""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_SIGNED_IN = 4
    CONFLICT = 5
    TIMED_OUT = 6
    DENIED = 7
    INTERRUPTED = 130


class Failure(Exception):
    """Ends the command with one calm message on standard error."""

    def __init__(
        self,
        what: str,
        *,
        exit_code: ExitCode = ExitCode.FAILED,
        why: Sequence[tuple[str, str]] = (),
        next_step: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.exit_code = exit_code
        self.why = tuple(why)
        self.next_step = next_step
        self.request_id = request_id


def missing(option: str, purpose: str) -> Failure:
    return Failure(
        f"{option} is missing: {purpose}",
        exit_code=ExitCode.USAGE,
        next_step=f"Give {option}; there is no terminal here to ask on.",
    )
