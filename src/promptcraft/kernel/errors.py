"""What a person did or met. Routes turn it into a problem document (RFC 9457); nothing else does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One refused value: `pointer` is a JSON pointer (RFC 6901) into the request body."""

    pointer: str
    detail: str
    code: str = "invalid"


class PlatformError(Exception):
    """Base of every error that reaches a person."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "The platform failed"
    next_step: str = "Try again; if it stays, give the request id to your administrator."
    # How long to wait before another try, where that is known: the answer's Retry-After.
    retry_after_seconds: int | None = None

    def __init__(
        self, detail: str | None = None, *, errors: Sequence[FieldProblem] = (), next_step: str | None = None
    ) -> None:
        self.detail = detail or self.title
        self.errors = tuple(errors)
        if next_step is not None:
            self.next_step = next_step
        super().__init__(self.detail)


class BadRequest(PlatformError):
    status = 400
    code = "bad_request"
    title = "The request cannot be understood"
    next_step = "Correct the request; the API reference shows its form."


class Unauthenticated(PlatformError):
    status = 401
    code = "not_authenticated"
    title = "Nobody is signed in"
    next_step = "Sign in with `pc-hybrid login`."


class Forbidden(PlatformError):
    status = 403
    code = "permission_denied"
    title = "You may not do this"
    next_step = "Ask an administrator of your organisation for the permission."


class NotFound(PlatformError):
    status = 404
    code = "not_found"
    title = "There is no such thing here"
    next_step = "Check the name or id."


class Conflict(PlatformError):
    status = 409
    code = "conflict"
    title = "The request conflicts with the present state"
    next_step = "Look at the present state, then try again."


class TooLarge(PlatformError):
    status = 413
    code = "too_large"
    title = "The request is too large"
    next_step = "Send less at once."


class Invalid(PlatformError):
    status = 422
    code = "invalid"
    title = "The request holds values that are not usable"
    next_step = "Correct the named fields and send it again."


class TooMany(PlatformError):
    status = 429
    code = "too_many_requests"
    title = "Too many requests"
    next_step = "Wait, then try again."

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(PlatformError):
    """A part is away; what was asked was not done, and can be asked again once it is back."""

    status = 503
    code = "unavailable"
    title = "A part of the platform is not available"
    next_step = "Wait a moment, then try again; `/health` names the part."
    retry_after_seconds = 2


class TimedOut(PlatformError):
    status = 504
    code = "timed_out"
    title = "The time limit was reached"
    next_step = "Try again with a longer time limit."
