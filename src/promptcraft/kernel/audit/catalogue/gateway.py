"""What was asked of models, how it ended (each call leaves one of the first five), and who may be asked."""

from promptcraft.kernel.audit.event import Event, Outcome

MODEL_CALL_TIMED_OUT = Event(
    id=10003,
    name="model.time_out",
    sentence="{model}, asked by {actor}, reached the time limit",
    type="execution",
    category="performance",
    severity="warning",
    status="failure",
)
MODEL_CALL_DISCONNECTED = Event(
    id=10004,
    name="model.disconnect",
    sentence="{actor} hung up before {model} had answered; the provider's work was ended",
    type="execution",
    severity="warning",
    status="partial",
)
MODEL_CALLED = Event(
    id=10001,
    name="model.call",
    sentence="{model} of {provider} answered {actor}: {input_tokens} tokens in, {output_tokens} out",
    type="execution",
    outcomes={
        Outcome.TIMEOUT: (MODEL_CALL_TIMED_OUT.id,),
        Outcome.DISCONNECT: (MODEL_CALL_DISCONNECTED.id,),
    },
)
MODEL_CALL_FAILED = Event(
    id=10002,
    name="model.fail",
    sentence="{model}, asked by {actor}, did not answer: {reason}",
    type="execution",
    severity="error",
    status="failure",
)
MODEL_CALL_ABANDONED = Event(
    id=10005,
    name="model.abandon",
    sentence="the call {resource} was closed: the process that made it died, so its outcome is not known",
    type="execution",
    severity="error",
    status="failure",
)
PROVIDER_ADDED = Event(id=10010, name="provider.add", sentence="{actor} added the provider {resource} at {base_url}")
PROVIDER_CHANGED = Event(
    id=10011, name="provider.change", sentence="{actor} changed {changed} of the provider {resource}"
)
PROVIDER_REMOVED = Event(
    id=10012, name="provider.remove", sentence="{actor} removed the provider {resource}", severity="warning"
)
PROVIDER_KEY_ROTATED = Event(
    id=10013,
    name="provider.rotate_key",
    sentence="{actor} gave the provider {resource} another key",
    category="security",
)
POLICY_CHANGED = Event(
    id=10014,
    name="model_policy.change",
    sentence="{actor} changed {changed} of what the organisation allows of models",
    category="security",
)
