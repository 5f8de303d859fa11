"""What insights are asked with and answered by (specification §5.2, §6.4). Times in milliseconds, costs in USD."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, cast
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

TimeRange = Literal["7d", "30d", "90d", "1y"]
Granularity = Literal["hour", "day", "week", "month"]
Metric = Literal["usage", "performance", "costs", "quality"]

RANGES: dict[TimeRange, timedelta] = {
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "1y": timedelta(days=365),
}
_MAX_FILTER = 100
# Files of the zone database that name no place.
_NO_PLACES = {"localtime", "Factory"}


def _split(value: object) -> object:
    """A comma list, also where the parameter was given more than once."""
    if isinstance(value, str):
        return value.split(",")
    if isinstance(value, list | tuple):
        parts = cast("Sequence[object]", value)
        return [one for part in parts for one in (part.split(",") if isinstance(part, str) else [part])]
    return value


# Read once, at import: the names are a directory's, and a request must not wait for a disk.
_ZONES = frozenset(available_timezones() | {"UTC"}) - _NO_PLACES


def _known_zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("is no name of the IANA time zone database, such as Europe/Berlin")
    return name


def _comma_list(example: str) -> tuple[Any, ...]:
    return BeforeValidator(_split), WithJsonSchema({"type": "string", "examples": [example]})


# Wider than names are, so that an id nobody has gives nothing, not an error.
_AgentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


class InsightsRequest(BaseModel):
    """The parameters of §5.2, and the time zone in which buckets start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_range: Annotated[TimeRange, Field(description="So far back from now")] = "30d"
    metrics: Annotated[
        frozenset[Metric], *_comma_list("usage,costs"), Field(min_length=1, description="Any of these, comma separated")
    ] = frozenset({"usage", "performance", "costs", "quality"})
    granularity: Annotated[Granularity, Field(description="Length of a bucket; weeks start on Monday")] = "day"
    agent_filter: Annotated[
        tuple[_AgentId, ...] | None,
        *_comma_list("tax_advisor,travel_guide"),
        Field(max_length=_MAX_FILTER, description="Only these agents, comma separated"),
    ] = None
    user_filter: Annotated[
        tuple[UUID, ...] | None,
        *_comma_list("019ab2c4-0000-7000-8000-000000000001"),
        Field(max_length=_MAX_FILTER, description="Only these users' ids, comma separated"),
    ] = None
    tz: Annotated[
        str, AfterValidator(_known_zone), Field(description="IANA time zone of the buckets", examples=["Europe/Berlin"])
    ] = "UTC"


# Exact inside, a JSON number outside.
Usd = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


# To the nanosecond: beyond it the digits are the interpolation's rounding, not the clock's.
Milliseconds = Annotated[float, AfterValidator(lambda value: round(value, 6))]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Summary(_Answer):
    """The whole range. Averages and shares are None where there is nothing to average."""

    total_queries: int
    unique_users: int
    avg_response_time_ms: Milliseconds | None
    success_rate: Annotated[float | None, Field(description="Share of queries that were completed, 0 to 1")]
    total_cost: Annotated[Usd, Field(description="Model and infrastructure cost, USD")]
    user_satisfaction: Annotated[float | None, Field(description="Mean rating, 1 to 5")]
    agent_accuracy: Annotated[
        float | None, Field(description="Share of the last gates' held questions answered right, 0 to 1")
    ]


class QueryVolume(_Answer):
    date: Annotated[datetime, Field(description="Start of the bucket, with the zone's offset")]
    count: int = 0


class ResponseTimes(_Answer):
    """Exact percentiles of the bucket's queries, milliseconds."""

    date: datetime
    p50: Milliseconds | None = None
    p95: Milliseconds | None = None
    p99: Milliseconds | None = None


class Costs(_Answer):
    date: datetime
    model_cost: Usd = Decimal(0)
    infrastructure_cost: Annotated[
        Usd | None, Field(description="USD; null under a user filter: the agents' processes serve everybody")
    ] = Decimal(0)


def _not_asked(value: object) -> bool:
    return value is None


class Trends(_Answer):
    """One row a bucket, empty buckets included; what was not asked for is absent."""

    query_volume: Annotated[tuple[QueryVolume, ...] | None, Field(exclude_if=_not_asked)] = None
    response_times: Annotated[tuple[ResponseTimes, ...] | None, Field(exclude_if=_not_asked)] = None
    cost_breakdown: Annotated[tuple[Costs, ...] | None, Field(exclude_if=_not_asked)] = None


class AgentPerformance(_Answer):
    """One agent that was asked or ran in the range.

    `cost_per_query` is what its executions cost by themselves (models), divided by their number; None without any. The
    time of its process is one cost of the agent, busy or idle, and stands in `infrastructure_cost` alone.
    """

    agent_id: str
    query_count: int
    avg_response_time: Annotated[Milliseconds | None, Field(description="Milliseconds")]
    success_rate: float | None
    user_rating: Annotated[float | None, Field(description="Mean rating, 1 to 5")]
    cost_per_query: Annotated[Usd | None, Field(description="USD of the executions themselves")]
    infrastructure_cost: Annotated[
        Usd | None, Field(description="USD of the agent's process; null under a user filter")
    ]


class Quality(_Answer):
    """How good the answers are, and on how much evidence."""

    user_satisfaction: float | None
    ratings: int
    agent_accuracy: float | None
    questions: Annotated[int, Field(description="Held questions that the accuracy stands on")]


class Recommendation(_Answer):
    type: Literal["cost", "performance", "accuracy"]
    priority: Literal["high", "medium", "low"]
    description: str
    estimated_impact: str
    implementation_effort: Literal["low", "medium", "high"]


class Insights(_Answer):
    """§5.2's data. `summary` is always whole; the rest holds what was asked for."""

    summary: Summary
    trends: Trends
    agent_performance: Annotated[tuple[AgentPerformance, ...] | None, Field(exclude_if=_not_asked)] = None
    quality: Annotated[Quality | None, Field(exclude_if=_not_asked)] = None
    optimization_recommendations: Annotated[tuple[Recommendation, ...] | None, Field(exclude_if=_not_asked)] = None


class InsightsMetadata(_Answer):
    generated_at: datetime
    data_freshness: Annotated[
        timedelta, Field(description="Age of the oldest fact not yet taken in; zero when all are", examples=["PT0S"])
    ]
    query_duration_ms: float


class InsightsReport(_Answer):
    data: Insights
    metadata: InsightsMetadata


class Realtime(_Answer):
    """§6.4's four figures. The first two are of what finished in the last five minutes; None where nothing did."""

    avg_response_time_ms: Milliseconds | None
    success_rate: float | None
    active_workflows: Annotated[int, Field(description="Executions that run now")]
    queue_length: Annotated[int, Field(description="Jobs of your organisation that no worker has begun")]


@dataclass(frozen=True, slots=True)
class Prices:
    """USD for one CPU-second and one GiB-second of an agent's process."""

    cpu_second: Decimal = Decimal(0)
    gib_second: Decimal = Decimal(0)
