"""Why a server is not found, or does not answer."""

from typing import ClassVar

from promptcraft.kernel.errors import NotFound, PlatformError, TimedOut, Unavailable


class ServerNotFound(NotFound):
    code = "server_not_found"
    title = "No such server is registered"
    next_step = "List the agents with `pc-hybrid agent list`."


class UpstreamUnavailable(Unavailable):
    """Nobody listens there, or the connection broke before the answer was whole."""

    code = "upstream_unavailable"
    title = "The server does not answer"
    next_step = "Wait a moment, then try again; `pc-hybrid agent list` shows its state."


class UpstreamTimedOut(TimedOut):
    code = "upstream_timed_out"
    title = "The server did not answer within the time limit"


class UpstreamFailed(PlatformError):
    """It answered with an error, or with something that is no answer."""

    status: ClassVar[int] = 502
    code = "upstream_failed"
    title = "The server answered with an error"
    next_step = "Read its output with `pc-hybrid agent logs NAME`."
