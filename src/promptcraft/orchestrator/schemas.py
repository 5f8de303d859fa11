"""What is asked of Zen and what it answers."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from promptcraft.kernel.outbox import Fact
from promptcraft.kernel.texts import Number, Quoted, Storable, storable
from promptcraft.registry import ServerName
from promptcraft.runtime import Environment

StepStatus = Literal["completed", "declined", "failed", "timed_out", "cancelled"]
# Money is exact inside and a number on the wire.
Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold at least one character that is not a space")
    return text


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class ExecutionStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


class Asked(_Given):
    """A query. Zen chooses the agent unless one is named; `session_id` of an earlier answer makes it a follow-up."""

    query: Annotated[
        str,
        Field(min_length=1, max_length=10_000, examples=["When is the VAT return due?"]),
        Storable,
        AfterValidator(_worded),
    ]
    session_id: UUID | None = None
    agent: ServerName | None = None
    environment: Environment | None = None
    time_limit_seconds: Annotated[float, Field(ge=0.1, le=120), Number] = 30.0


class Citation(_Told):
    """Where an answer stands: lines of a file of the agent's knowledge, both inclusive, at a commit."""

    file: Quoted
    lines: Quoted = ""
    start_line: int | None = None
    end_line: int | None = None
    commit: Quoted | None = None
    text: Quoted = ""


class Candidate(_Told):
    """An agent that was weighed; `score` is 0 to 1."""

    agent: str
    environment: Environment
    score: float


class Step(_Told):
    """One thing that Zen did: `route` chose who is asked, each `ask` is one agent's turn."""

    name: Literal["route", "ask"]
    status: StepStatus
    seconds: float
    agent: str | None = None
    environment: Environment | None = None
    detail: str = ""


class Execution(_Told):
    """What came of a query.

    `answered` is false where nobody asked knew, or where no agent seemed to fit (`agent` is null then); `candidates`
    are the agents that were weighed, the best first. `cost` is in USD; `response_time_ms` is null while it runs and
    where it is not known.
    """

    execution_id: UUID
    status: ExecutionStatus
    query: str | None
    answer: str | None
    answered: bool
    citations: tuple[Citation, ...]
    agent: str | None
    agent_version: str | None
    environment: Environment | None
    score: float | None
    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]
    tokens: int | None
    cost: Dollars | None
    trace_id: str | None
    session_id: UUID
    created_at: datetime
    response_time_ms: int | None
    error: str | None = None


class Begun(_Told):
    """First word of a streamed execution: under which id it is kept."""

    execution_id: UUID
    session_id: UUID


class AskedAgent(_Told):
    """Who is asked from now on; what another one said before does not count."""

    agent: str
    environment: Environment


class Passages(_Told):
    """What the answer will stand on."""

    citations: tuple[Citation, ...]


class Delta(_Told):
    """The next words of the answer."""

    text: str


class Withdrawn(_Told):
    """What was said so far does not count."""


class ExecutionEntry(_Told):
    """One line of the list; `query` is null once its text was purged."""

    execution_id: UUID
    status: ExecutionStatus
    answered: bool
    agent: str | None
    environment: Environment | None
    query: str | None
    session_id: UUID
    user_id: UUID | None
    created_at: datetime
    response_time_ms: int | None
    tokens: int | None
    cost: Dollars | None


class FeedbackGiven(_Given):
    """What a person thinks of an answer."""

    rating: Annotated[int, Field(ge=1, le=5, description="1 useless, 5 just right", examples=[4]), Number]
    comment: Annotated[str, Field(max_length=2_000), Storable] = ""


class Feedback(FeedbackGiven):
    model_config = ConfigDict(frozen=True, from_attributes=True)

    execution_id: UUID
    given_at: datetime


class ExecutionFinished(Fact):
    """An execution reached its final state. What is not known is null: of one whose process died, all that it took."""

    topic: ClassVar[str] = "orchestrator.execution_finished"

    execution_id: UUID
    created_at: datetime
    finished_at: datetime
    user_id: UUID | None
    session_id: UUID
    status: Literal["completed", "failed", "timed_out", "cancelled"]
    answered: bool
    agent: str | None
    agent_version: str | None
    environment: Environment | None
    score: float | None
    processing_time_ms: int | None
    model_cost: Decimal
    tokens: int | None
    steps_completed: int


class ExecutionRated(Fact):
    """A person's rating of an execution; their latest one counts."""

    topic: ClassVar[str] = "orchestrator.execution_rated"

    execution_id: UUID
    user_id: UUID
    rating: int
    given_at: datetime


class AgentAnswer(_Told):
    """What an agent's `ask` returns, as far as Zen reads it; an agent may say more."""

    answered: bool
    answer: Annotated[str, Field(max_length=200_000), AfterValidator(storable)] = ""
    citations: Annotated[tuple[Citation, ...], Field(max_length=50)] = ()
