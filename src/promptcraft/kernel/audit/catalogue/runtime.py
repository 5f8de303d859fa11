"""What runs where. An instance is desired by a person through the agents context, in one transaction with its event;
what then becomes of it is recorded by the host's runtime, as the platform."""

from promptcraft.kernel.audit.event import Event

INSTANCE_DESIRED = Event(
    id=7001, name="instance.desire", sentence="{actor} wants {agent} {version} to run in {environment}"
)
INSTANCE_UNDESIRED = Event(
    id=7002, name="instance.undesire", sentence="{actor} wants {agent} {version} to run in {environment} no longer"
)
INSTANCE_RUNNING = Event(
    id=7003, name="instance.run", sentence="{agent} {version} runs in {environment} on {host}", component="agent"
)
INSTANCE_ENDED = Event(
    id=7004,
    name="instance.end",
    sentence="{agent} {version} in {environment} ended: {reason}",
    severity="warning",
    status="failure",
    component="agent",
)
INSTANCE_REMOVED = Event(
    id=7005, name="instance.remove", sentence="{agent} {version} in {environment} was stopped and cleared away"
)
INSTANCE_UNISOLATED = Event(
    id=7006,
    name="instance.run_unisolated",
    sentence="{agent} {version} runs in {environment} on {host} without isolation",
    category="security",
    severity="warning",
    component="agent",
)
RUNTIME_STARTED = Event(
    id=7010,
    name="runtime.start",
    sentence="the runtime of {resource} started; programs are separated by {separation}, network {network}",
    category="security",
)
