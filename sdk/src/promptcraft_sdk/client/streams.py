"""Answers that come as server-sent events: what is asked for, and how the bytes become events. Nothing here waits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from promptcraft_sdk.client.errors import UnexpectedAnswer
from promptcraft_sdk.client.wire import Call, problem

T = TypeVar("T")

MEDIA_TYPE = "text/event-stream"
END, PROBLEM = "end", "problem"
# The platform says something every ten seconds.
SILENCE_SECONDS = 30.0
_LARGEST_EVENT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """One event; `end` is the last of a stream. `id` is where to go on from, empty where one cannot."""

    name: str
    data: T
    id: str = ""


@dataclass(frozen=True, slots=True)
class Stream(Call[T]):
    """A request whose answer is a stream; `read` reads what an `end` says, `parts` the events before it, by name.

    One that is `resumable` can be asked for from the last event on, and so again where its connection broke.
    """

    parts: Mapping[str, Callable[[bytes], T]] = field(default_factory=dict[str, Callable[[bytes], T]])
    resumable: bool = False

    def event(self, found: "RawEvent") -> Event[T] | None:
        """What an event says; None for one that only a newer platform knows. Raises the ApiError that it is."""
        if found.name == PROBLEM:
            raise problem(None, {}, found.data)
        read = self.read if found.name == END else self.parts.get(found.name)
        return None if read is None else Event(found.name, read(found.data), found.id)


@dataclass(frozen=True, slots=True)
class RawEvent:
    name: str
    data: bytes
    id: str


class EventReader:
    """Cuts a stream into events (WHATWG HTML, "Server-sent events")."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, part: bytes) -> list[RawEvent]:
        """The events that this part completes. Raises UnexpectedAnswer for one without an end."""
        self._rest += part
        *whole, self._rest = self._rest.replace(b"\r\n", b"\n").split(b"\n\n")
        if len(self._rest) > _LARGEST_EVENT:
            raise UnexpectedAnswer("The stream has an event that does not end.")
        return [event for block in whole if (event := _event(block)) is not None]


def _event(block: bytes) -> RawEvent | None:
    fields: dict[bytes, list[bytes]] = {}
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        fields.setdefault(name, []).append(value.removeprefix(b" "))
    if b"data" not in fields:
        return None
    name, identifier = (fields.get(key, [b""])[-1].decode(errors="replace") for key in (b"event", b"id"))
    return RawEvent(name or "message", b"\n".join(fields[b"data"]), identifier)
