"""What was asked of Zen, and how it ended. Each execution leaves one of those that end it."""

from promptcraft.kernel.audit.event import Event, Outcome

EXECUTION_TIMED_OUT = Event(
    id=4003,
    name="execution.time_out",
    sentence="{resource}, asked by {actor} of {agent}, reached its time limit",
    type="execution",
    category="performance",
    severity="warning",
    status="failure",
    component="zen_mcp",
)
EXECUTION_CANCELLED = Event(
    id=4011,
    name="execution.cancel",
    sentence="{actor} cancelled {resource}",
    type="execution",
    status="partial",
    component="zen_mcp",
)
EXECUTION_DISCONNECTED = Event(
    id=4012,
    name="execution.disconnect",
    sentence="{resource} was cancelled: {actor}, who asked, hung up",
    type="execution",
    status="partial",
    component="zen_mcp",
)
EXECUTION_DECLINED = Event(
    id=4004,
    name="execution.decline",
    sentence="{resource}, asked by {actor}, was not answered: nobody asked knew",
    type="execution",
    status="partial",
    component="zen_mcp",
)
EXECUTION_COMPLETED = Event(
    id=4001,
    name="execution.complete",
    sentence="{agent} answered {resource}, asked by {actor}",
    type="execution",
    component="zen_mcp",
    outcomes={Outcome.TIMEOUT: (EXECUTION_TIMED_OUT.id,), Outcome.DISCONNECT: (EXECUTION_DISCONNECTED.id,)},
    besides=(EXECUTION_DECLINED.id,),
)
EXECUTION_FAILED = Event(
    id=4002,
    name="execution.fail",
    sentence="{resource}, asked by {actor}, failed: {reason}",
    type="execution",
    severity="error",
    status="failure",
    component="zen_mcp",
)
EXECUTION_ABANDONED = Event(
    id=4005,
    name="execution.abandon",
    sentence="{resource} was closed: the process that ran it died, so its outcome is not known",
    type="execution",
    severity="error",
    status="failure",
    component="zen_mcp",
)
FEEDBACK_GIVEN = Event(
    id=4007,
    name="execution.rate",
    sentence="{actor} rated execution {resource} {rating} of 5",
    type="execution",
    component="zen_mcp",
)
