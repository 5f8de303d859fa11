"""What can go wrong between a program and the platform: all of it is a ClientError."""

from dataclasses import dataclass


class ClientError(Exception):
    """The call did not bring what was asked for."""


class Unreachable(ClientError):
    """No connection came about, or it broke before an answer was whole."""

    def __init__(self, base_url: str, reason: str) -> None:
        super().__init__(f"cannot reach {base_url}: {reason}")
        self.base_url = base_url
        self.reason = reason


class TimedOut(ClientError):
    """The answer did not come within the call's time limit; the platform may still be at work on it."""

    def __init__(self, base_url: str, seconds: float) -> None:
        super().__init__(f"{base_url} did not answer within {seconds:g} s")
        self.base_url = base_url
        self.seconds = seconds


class UnexpectedAnswer(ClientError):
    """Something answered, but not with what the platform's contract says."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field: a JSON pointer into what was sent, and what is wrong with it."""

    pointer: str
    detail: str
    code: str = ""


class ApiError(ClientError):
    """The platform refused, and said why: its problem document (RFC 9457)."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        next_step: str = "",
        request_id: str = "",
        errors: tuple[FieldProblem, ...] = (),
    ) -> None:
        super().__init__(detail or title)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.next_step = next_step
        self.request_id = request_id
        self.errors = errors
