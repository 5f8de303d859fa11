"""What an agent says of an answer before it is whole, as the message of an MCP progress notification."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Part(BaseModel):
    """One part: what the answer will stand on, its next words, or that what was said so far does not count.

    `passages` are citations as an agent's answer has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    passages: tuple[dict[str, Any], ...] = Field(default=(), max_length=50)
    delta: str = Field(default="", max_length=20_000)
    withdrawn: bool = False

    def message(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def read(cls, message: str) -> Self | None:
        """What a message says; None for one that is meant for people, as other servers send them."""
        try:
            return cls.model_validate_json(message)
        except ValidationError:
            return None
