"""What ends an action early, whatever the action was."""

from promptcraft.kernel.audit.event import Event

ACCESS_DENIED = Event(
    id=1001,
    name="access.deny",
    sentence="{actor} was refused {action}: {reason}",
    type="authorization",
    category="security",
    severity="warning",
    status="failure",
)
AUTHENTICATION_REFUSED = Event(
    id=1002,
    name="authentication.refuse",
    sentence="a caller without valid credentials was refused: {reason}",
    type="authentication",
    category="security",
    severity="warning",
    status="failure",
)
REQUEST_INVALID = Event(
    id=1003,
    name="request.refuse",
    sentence="{actor} asked for {action} in a way that cannot be done: {reason}",
    type="error",
    status="failure",
)
REQUEST_FAILED = Event(
    id=1004,
    name="request.fail",
    sentence="{action} of {actor} failed: {reason}",
    type="error",
    severity="error",
    status="failure",
)
REQUEST_TIMED_OUT = Event(
    id=1005,
    name="request.time_out",
    sentence="{action} of {actor} reached its time limit",
    type="error",
    category="performance",
    severity="warning",
    status="failure",
)
