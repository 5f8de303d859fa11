"""What all answers and all requests share."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")
# As the platform wrote it: whole numbers stay whole.
Number = int | float


class Answer(BaseModel):
    """Anything that the platform says."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Envelope(Answer, Generic[T]):
    data: T


class Sent(BaseModel):
    """Anything that is sent to the platform."""

    model_config = ConfigDict(frozen=True, extra="forbid")
