"""What is asked of models and what is kept of it. Times in seconds unless named otherwise, money in USD."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    StrictBool,
    model_validator,
)

from promptcraft.kernel.outbox import Fact
from promptcraft.kernel.texts import Number

_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
Kind = Literal["openai", "azure"]
# Money is exact inside and a number on the wire.
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000), PlainSerializer(float, return_type=float, when_used="json")]


def _web(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("must be an address such as https://HOST/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an address such as https://HOST/v1, without a query")
    if parts.username or parts.password:
        raise ValueError("must hold no name and no password: the key has a field of its own")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be written in ASCII characters without spaces")
    return value.rstrip("/")


def _sendable(key: SecretStr) -> SecretStr:
    if any(not "\x21" <= character <= "\x7e" for character in key.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces, as a header carries it")
    return key


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

    allowed_models: Annotated[tuple[_Name, ...], Field(max_length=500)] | None = None
    agent_models: Annotated[dict[_Name, _Name], Field(max_length=500)] = {}
    prices: Annotated[dict[_Name, Price], Field(max_length=500)] = {}
    platform_providers: StrictBool = True
    time_limit_seconds: Annotated[float, Field(ge=1, le=3600), Number] = 300.0
    silence_seconds: Annotated[float, Field(ge=1, le=3600), Number] = 60.0
    concurrent_calls: Annotated[int, Field(ge=1, le=10_000), Number] = 64
    output_tokens_per_call: Annotated[int, Field(ge=1, le=10_000_000), Number] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=10_000_000_000), Number] | None = None

    @model_validator(mode="after")
    def _agents_keep_to_the_list(self) -> Self:
        if self.allowed_models is not None and (others := set(self.agent_models.values()) - set(self.allowed_models)):
            raise ValueError(f"agent_models names {sorted(others)[0]}, which allowed_models does not hold")
        return self


ProviderName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", examples=["our-vllm"])]
_Models = Annotated[dict[_Name, _Name], Field(max_length=500)]
_Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,40}$", examples=["2024-10-21"])]
_Key = Annotated[
    SecretStr,
    Field(max_length=4_000, json_schema_extra={"pattern": "^[!-~]*$", "examples": ["the-key-of-the-provider"]}),
    AfterValidator(_sendable),
]
_Address = Annotated[
    str,
    # What it cannot say of an address is refused by name.
    Field(
        max_length=2_000,
        examples=["https://models.example.com/v1"],
        json_schema_extra={"pattern": r"^https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,4})?(/[A-Za-z0-9._~/-]*)?$"},
    ),
    AfterValidator(_web),
]


class ProviderAdd(_Frozen):
    """A provider that speaks the OpenAI API. `base_url` is what its clients are given; for `azure` the resource's own.

    `models` maps names as callers use them to the provider's (for Azure the deployments'); empty, any name is passed
    on as it is. Providers are asked by `priority`, the lowest first, then by name.
    """

    name: ProviderName
    kind: Kind = "openai"
    base_url: _Address
    api_key: _Key = SecretStr("")
    api_version: _Version | None = None
    models: _Models = {}
    priority: Annotated[int, Field(ge=0, le=1_000), Number] = 100
    enabled: StrictBool = True


class ProviderChange(_Frozen):
    """What of a provider shall be otherwise; what is left out stays."""

    kind: Kind | None = None
    base_url: _Address | None = None
    api_version: _Version | None = None
    models: _Models | None = None
    priority: Annotated[int, Field(ge=0, le=1_000), Number] | None = None
    enabled: StrictBool | None = None


class KeyRotation(_Frozen):
    api_key: _Key


class ProviderTest(_Frozen):
    """`model` as callers name it; may be left out where the provider has a list of models."""

    model: _Name | None = None


class Provider(BaseModel):
    """A provider as its organisation sees it; its key is never shown. `platform` ones are the platform's own."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    base_url: str | None
    api_version: str | None = None
    models: dict[str, str] = {}
    priority: int | None = None
    enabled: bool = True
    platform: bool = False
    created_at: datetime | None = None
    key_changed_at: datetime | None = None


class ProviderTested(BaseModel):
    """One small call that was answered."""

    model_config = ConfigDict(frozen=True)

    provider: str
    model: str
    answer: str
    seconds: float


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


class CallEntry(BaseModel):
    """One call of a model, as it was recorded; what is not known is null. `cost` is in USD."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    created_at: datetime
    agent: str | None
    model: str
    provider: str | None
    status: CallStatus
    streamed: bool
    attempts: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    cost: Dollars | None
    first_byte_ms: int | None
    duration_ms: int | None
    error_code: str | None


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
