"""Who came to the end of what they may use."""

from promptcraft.kernel.audit.event import Event

REQUESTS_LIMITED = Event(
    id=11001,
    name="requests.limit",
    sentence="requests of {resource} are over the limit of {limit} a minute and are refused until the minute is over",
    type="authorization",
    category="security",
    severity="warning",
    status="failure",
)
