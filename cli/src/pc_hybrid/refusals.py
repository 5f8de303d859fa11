"""The client's errors as the failures of a command."""

from urllib.parse import urlsplit

from pc_hybrid.failures import ExitCode, Failure
from promptcraft_sdk.client import ApiError, ClientError, TimedOut, Unreachable

_EXIT_CODES = {
    400: ExitCode.USAGE,
    401: ExitCode.NOT_SIGNED_IN,
    402: ExitCode.DENIED,
    403: ExitCode.DENIED,
    404: ExitCode.NOT_FOUND,
    408: ExitCode.TIMED_OUT,
    409: ExitCode.CONFLICT,
    413: ExitCode.USAGE,
    415: ExitCode.USAGE,
    422: ExitCode.USAGE,
    429: ExitCode.DENIED,
    504: ExitCode.TIMED_OUT,
}


def failure_of(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, ApiError):
        return _refused(error)
    if isinstance(error, Unreachable):
        return _unreachable(error)
    if isinstance(error, TimedOut):
        return Failure(
            str(error),
            exit_code=ExitCode.TIMED_OUT,
            next_step="What was asked may still be under way: look before you ask again.",
        )
    if isinstance(error, UnicodeDecodeError):
        return Failure(
            "standard input is not written in UTF-8",
            exit_code=ExitCode.USAGE,
            next_step="Convert it, then try again.",
        )
    if isinstance(error, ClientError):
        return Failure(str(error), next_step="Check that the address is the platform's: pc-hybrid login --api-url URL")
    return Failure(
        f"pc-hybrid itself failed: {type(error).__name__}: {error}",
        next_step="Run it again with --debug and report the file that it names.",
    )


def _refused(error: ApiError) -> Failure:
    return Failure(
        error.detail or error.title,
        exit_code=_EXIT_CODES.get(error.status, ExitCode.FAILED),
        why=[(problem.pointer, problem.detail) for problem in error.errors],
        next_step=error.next_step or ("pc-hybrid login" if error.status == 401 else ""),
        request_id=error.request_id,
    )


def _unreachable(error: Unreachable) -> Failure:
    here = urlsplit(error.base_url).hostname in ("localhost", "127.0.0.1", "::1")
    return Failure(
        str(error),
        next_step="pc-hybrid up" if here else "Check the address and the network, or pc-hybrid login --api-url URL",
    )
