"""Questions and what came of them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from promptcraft_sdk.client.schemas.agents import Turn
from promptcraft_sdk.client.schemas.base import Answer, Number

Rating = Annotated[int, Field(ge=1, le=5)]


class Citation(Answer):
    """Where an answer stands: lines of a file of the agent's knowledge, both inclusive, at a commit."""

    file: str
    lines: str
    commit: str | None = None
    text: str = ""


class Candidate(Answer):
    """An agent that was weighed for a query; `score` is 0 to 1."""

    agent: str
    environment: str = ""
    score: Number


class ExecutionEntry(Answer):
    """One line of the list of executions. `status` is running, completed, failed, timed_out or cancelled."""

    execution_id: UUID
    status: str
    answered: bool = False
    agent: str | None = None
    environment: str | None = None
    query: str | None = None
    session_id: UUID
    created_at: datetime
    response_time_ms: Number | None = None
    tokens: int | None = None
    cost: Number | None = None


class Execution(ExecutionEntry):
    """What came of a query. Where it was not `answered`, `candidates` are the agents that were weighed."""

    answer: str | None = None
    citations: tuple[Citation, ...] = ()
    score: Number | None = None
    agent_version: str | None = None
    candidates: tuple[Candidate, ...] = ()
    steps: tuple[Turn, ...] = ()
    tokens: int | None = None
    trace_id: str | None = None
    error: str | None = None


class ExecutionPart(Answer):
    """What is known of an answer before it is whole.

    By the name of its event: `execution` has both ids, `agent` the agent that is asked from now on, `passages` what the
    answer will stand on, `delta` more words of it. `agent` and `withdrawn` say that the words so far do not count.
    """

    execution_id: UUID | None = None
    session_id: UUID | None = None
    agent: str = ""
    environment: str = ""
    citations: tuple[Citation, ...] = ()
    text: str = ""


class ModelCall(Answer):
    """One call of a model for an execution; `cost` is in USD, what is not known is None."""

    id: UUID
    created_at: datetime
    agent: str | None = None
    model: str
    provider: str | None = None
    status: str
    streamed: bool = False
    attempts: int = 0
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost: Number | None = None
    first_byte_ms: int | None = None
    duration_ms: int | None = None
    error_code: str | None = None


class Feedback(Answer):
    execution_id: UUID
    rating: int
    comment: str = ""
    given_at: datetime
