"""What is asked of models and what is kept of it. Times in seconds unless named otherwise, money in USD."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from promptcraft.kernel.outbox import Fact

Kind = Literal["openai", "azure"]
# Money is exact inside and a number on the wire.
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000), PlainSerializer(float, return_type=float, when_used="json")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CallStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    DISCONNECTED = "disconnected"
    ABANDONED = "abandoned"


class Price(_Frozen):
    """USD for a million tokens; `cached` is for those of the input that the provider had in its cache."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None


class Policy(_Frozen):
    """What an organisation lets its people and agents ask of models.

    `allowed_models` null allows every model that a provider here has. `agent_models` names the model that an agent
    answers through, by the agent's name, or `*` for every other agent; an agent that is not named quotes its documents.
    `prices` come before the built-in price list. `silence_seconds` is how long a provider may send nothing.
    """

    allowed_models: Annotated[tuple[str, ...], Field(max_length=500)] | None = None
    agent_models: Annotated[dict[str, str], Field(max_length=500)] = {}
    prices: Annotated[dict[str, Price], Field(max_length=500)] = {}
    platform_providers: bool = True
    time_limit_seconds: Annotated[float, Field(ge=1, le=3600)] = 300.0
    silence_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    concurrent_calls: Annotated[int, Field(ge=1, le=10_000)] = 64
    output_tokens_per_call: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None


class Usage(_Frozen):
    """Tokens as the provider counted them; `cached` are part of `input`."""

    input: Annotated[int, Field(ge=0, le=100_000_000)]
    output: Annotated[int, Field(ge=0, le=100_000_000)]
    cached: Annotated[int, Field(ge=0, le=100_000_000)] = 0


class Model(BaseModel):
    """A model as the OpenAI API lists it; `owned_by` names the provider that is asked first."""

    model_config = ConfigDict(frozen=True)

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str


class ModelList(BaseModel):
    model_config = ConfigDict(frozen=True)

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class ModelCalled(Fact):
    """A model call reached its final state. What the provider did not tell is null, and so is what nobody can price."""

    topic: ClassVar[str] = "gateway.model_called"

    call_id: UUID
    created_at: datetime
    finished_at: datetime
    user_id: UUID | None
    agent: str | None
    execution_id: UUID | None
    model: str
    provider: str | None
    status: CallStatus
    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    duration_ms: int | None
