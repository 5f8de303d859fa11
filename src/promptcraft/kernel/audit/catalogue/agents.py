"""The Agent Factory's events."""

from promptcraft.kernel.audit.catalogue import registry, runtime
from promptcraft.kernel.audit.event import Event

CREATION_REQUESTED = Event(
    id=3001,
    name="agent.create",
    sentence="{actor} asked for the agent {resource}",
)
AGENT_BUILT = Event(
    id=3002,
    name="agent.build",
    sentence="version {version} of the agent {resource} was built from {documents} documents",
    component="agent",
)
CREATION_FAILED = Event(
    id=3003,
    name="agent.fail_creation",
    sentence="the creation of the agent {resource} failed at {phase}: {reason}",
    severity="error",
    status="failure",
    component="agent",
)
DEPLOYMENT_REQUESTED = Event(
    id=3004,
    name="agent.deploy",
    sentence="{actor} asked for the agent {resource} in {environment}",
)
AGENT_DEPLOYED = Event(
    id=3005,
    name="agent.start",
    sentence="version {version} of the agent {resource} answers in {environment}",
    component="agent",
)
DEPLOYMENT_FAILED = Event(
    id=3006,
    name="agent.fail_deployment",
    sentence="the deployment of the agent {resource} in {environment} failed at {phase}: {reason}",
    severity="error",
    status="failure",
    component="agent",
)
AGENT_DELETED = Event(
    id=3007,
    name="agent.delete",
    sentence="{actor} deleted the agent {resource}",
    severity="warning",
    besides=(registry.SERVER_UNREGISTERED.id, runtime.INSTANCE_UNDESIRED.id),
)
KNOWLEDGE_UPLOADED = Event(
    id=3008,
    name="knowledge.upload",
    sentence="{actor} uploaded {documents} documents as {resource}",
    type="data_access",
)
INDEX_GROWN = Event(
    id=3009,
    name="agent.index",
    sentence="version {version} of the agent {resource} has index {index}: {what}",
    component="agent",
)
CREATION_CANCELLED = Event(
    id=3021,
    name="agent.cancel_creation",
    sentence="{actor} cancelled the creation of the agent {resource}",
)
CREATION_UNDONE = Event(
    id=3022,
    name="agent.undo_creation",
    sentence="the cancelled creation of the agent {resource} was undone",
    status="partial",
    component="agent",
)
AGENT_EVALUATED = Event(
    id=3010,
    name="agent.evaluate",
    sentence="{actor} evaluated the agent {resource} with {questions} questions",
)
VERSION_PUSHED = Event(
    id=3011,
    name="agent.push",
    sentence="{actor} pushed a next version of the agent {resource}",
)
UPDATE_REQUESTED = Event(
    id=3012,
    name="agent.update",
    sentence="{actor} asked for what is new in the {change} of the agent {resource}",
)
REVISION_FAILED = Event(
    id=3013,
    name="agent.fail_revision",
    sentence="the next version of the agent {resource} failed at {phase}: {reason}",
    severity="error",
    status="failure",
    component="agent",
)
