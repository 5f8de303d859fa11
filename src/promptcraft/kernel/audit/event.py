"""The catalogue's entries. An id is permanent: it is never given to another event, even when the event is gone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

EventType = Literal[
    "authentication", "authorization", "data_access", "configuration_change", "execution", "error"
]  # specification §5.4
Category = Literal["security", "compliance", "operational", "performance"]
Severity = Literal["info", "warning", "error", "critical"]
Component = Literal["api_gateway", "zen_mcp", "agent", "mcp_server"]
RetentionClass = Literal["standard", "hold"]


class Outcome(StrEnum):
    SUCCESS = "success"
    DENIED = "denied"
    INVALID = "invalid"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    DISCONNECT = "disconnect"


_catalogue: dict[int, "Event"] = {}


@dataclass(frozen=True, slots=True)
class Event:
    """One auditable action.

    `name` is `subject.action`; `sentence` names {actor}, {resource} and the event's own values; `outcomes` lists the
    ids of the events that each outcome of the action leaves (kernel's general ones unless said otherwise); `besides`
    lists those that a success may leave beside them, or in their place, one for each thing that was asked for with it;
    `personal` names the values that belong to a person and are sealed inside the record.
    """

    id: int
    name: str
    sentence: str
    type: EventType = "configuration_change"
    category: Category = "operational"
    severity: Severity = "info"
    status: Literal["success", "failure", "partial"] = "success"
    component: Component = "api_gateway"
    retention: RetentionClass = "standard"
    personal: frozenset[str] = frozenset()
    sensitive: bool = False
    compliance_flags: tuple[str, ...] = ()
    outcomes: Mapping[Outcome, tuple[int, ...]] = field(default_factory=dict[Outcome, tuple[int, ...]])
    besides: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        known = _catalogue.setdefault(self.id, self)
        if known is not self:
            raise ValueError(f"audit event id {self.id} is given twice: {known.name} and {self.name}")

    def leaves(self, outcome: Outcome) -> tuple[int, ...]:
        """The ids of the events that this outcome of the action leaves."""
        if outcome in self.outcomes:
            return self.outcomes[outcome]
        return (self.id,) if outcome is Outcome.SUCCESS else (GENERAL_OUTCOMES[outcome],)


# Ids of kernel's own events (kernel/audit/catalogue/kernel.py) for what ends an action early.
GENERAL_OUTCOMES: dict[Outcome, int] = {
    Outcome.DENIED: 1001,
    Outcome.INVALID: 1003,
    Outcome.EXCEPTION: 1004,
    Outcome.TIMEOUT: 1005,
    # Before the request was whole; whoever hangs up later has what it asked for done, or its own entry says what.
    Outcome.DISCONNECT: 1003,
}


def events() -> Mapping[int, Event]:
    """The catalogue as far as it was imported, by id."""
    return _catalogue
