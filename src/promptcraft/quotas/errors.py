"""Why a request has to wait."""

from promptcraft.kernel.errors import TooMany


class RequestsLimited(TooMany):
    code = "rate_limited"
    title = "There were too many requests in this minute"
    next_step = "Wait as long as Retry-After says; an administrator of the platform sets the limits."
    # One event a window says it for all of its requests.
    recorded = True
