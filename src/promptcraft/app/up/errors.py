"""Why `up` could not do what it was asked: one sentence, the way out, and the exit code of the CLI's table."""

from typing import ClassVar


class UpError(Exception):
    """Ends the command; the terminal shows the message and then the next step."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class AlreadyRunning(UpError):
    """Another supervisor holds the data directory."""

    exit_code = 5


class PortTaken(UpError):
    """The address to serve at is somebody else's."""

    exit_code = 5


class DataDirectoryRefused(UpError):
    """The data directory cannot be used as it is."""


class NoUnprivilegedWay(UpError):
    """Started by root on a host where PostgreSQL cannot be given fewer rights."""


class ServerFailed(UpError):
    """PostgreSQL or Valkey did not come up."""


class RoleFailed(UpError):
    """A process of the platform did not come up."""


class NotRunning(UpError):
    """There is nothing to stop."""

    exit_code = 3


class StopRequested(BaseException):
    """Ctrl-C or SIGTERM arrived while something was being waited for."""
