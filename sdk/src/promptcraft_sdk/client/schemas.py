"""What the platform takes and answers, as a client sees it.

Every answer keeps the fields that this version does not know, so that nothing of a newer platform is lost on the way
through. What may grow (states, phases) is a plain string. Times are aware, costs in USD, durations in the unit that
their name ends with.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

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


# --- identity ---------------------------------------------------------------------------------------------------------


class Token(Answer):
    access_token: str = Field(repr=False)
    expires_in: int
    session: str | None = Field(default=None, repr=False)
    session_expires_at: datetime | None = None
    second_factor_owed: bool = False


class SecondFactorSecret(Answer):
    """What an authenticator needs to know: base32, and the same as otpauth:// for a QR code."""

    secret: str = Field(repr=False)
    uri: str = Field(repr=False)


class RecoveryCodes(Answer):
    """Each takes the place of a code once."""

    recovery_codes: tuple[str, ...] = Field(repr=False)


class Organisation(Answer):
    id: UUID
    slug: str
    name: str


class Me(Answer):
    """Who the caller is, and what they may do."""

    user_id: UUID
    username: str
    display_name: str = ""
    organization: Organisation
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    session_expires_at: datetime | None = None


class LoginSession(Answer):
    """A login that lasts; `current` is the one that was asked by."""

    id: UUID
    created_at: datetime
    expires_at: datetime
    current: bool = False


class ApiKey(Answer):
    """A key of a program; `hint` is how it begins."""

    id: UUID
    name: str
    hint: str
    user_id: UUID
    permissions: tuple[str, ...] = ()
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None


class NewApiKey(ApiKey):
    """`key` is here once and nowhere else."""

    key: str = Field(repr=False)


class User(Answer):
    """Somebody of the organisation; `invited` is true until they have set a password."""

    id: UUID
    username: str
    display_name: str = ""
    active: bool = True
    invited: bool = False
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    created_at: datetime


class Invitation(Answer):
    """A one-time way in; `invitation` is here once and nowhere else."""

    user: User
    invitation: str = Field(repr=False)
    expires_at: datetime


class AccountExport(Answer):
    """What was known of the account of somebody who left."""

    user: User
    sessions: tuple[LoginSession, ...] = ()
    api_keys: tuple[ApiKey, ...] = ()


class Group(Answer):
    name: str
    members: int = 0
    roles: tuple[str, ...] = ()
    created_at: datetime


class Role(Answer):
    """A role, the bundles that it holds, and what these come to."""

    name: str
    bundles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()


class OrganisationEntry(Answer):
    """An organisation as the platform's administrators see it; `users` are those who may come in."""

    id: UUID
    slug: str
    name: str
    active: bool = True
    users: int = 0
    created_at: datetime
    offboarding_id: UUID | None = None
    closed_at: datetime | None = None


class Export(Answer):
    """A zip archive of everything of an organisation; manifest.json in it has the SHA-256 of each of its files."""

    sha256: str
    bytes: int
    files: int
    written_at: datetime


class OrganisationFounded(Answer):
    organization: Organisation
    administrator: Invitation


# --- agents -----------------------------------------------------------------------------------------------------------

Environment = Literal["production", "staging", "development"]
UpdateFrequency = Literal["daily", "weekly", "monthly"]


class KnowledgeSource(Sent):
    type: str
    source: str
    update_frequency: UpdateFrequency | None = None


class AgentSpec(Sent):
    name: str
    domain: str
    description: str
    display_name: str | None = None
    keywords: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    knowledge_sources: tuple[KnowledgeSource, ...] = ()


class ResourceLimits(Sent):
    memory: str | None = None
    cpu: str | None = None


class DeploymentConfig(Sent):
    environment: Environment = "development"
    resource_limits: ResourceLimits | None = None
    auto_deploy: bool = False


class IntegrationConfig(Sent):
    required_tools: tuple[str, ...] = ()
    optional_tools: tuple[str, ...] = ()
    custom_endpoints: tuple[str, ...] = ()


class AgentCreate(Sent):
    agent_spec: AgentSpec
    deployment_config: DeploymentConfig = DeploymentConfig()
    integration_config: IntegrationConfig = IntegrationConfig()


class Upload(Answer):
    """Knowledge that the platform holds now; `source` names it in a knowledge source."""

    source: str
    documents: int
    bytes: int


class Creation(Answer):
    """A creation that was accepted; follow it by its id."""

    creation_id: UUID
    agent_name: str
    estimated_duration_minutes: Number | None = None
    repository_url: str | None = None


class Deployment(Answer):
    """A deployment that was accepted; follow it by its id."""

    deployment_id: UUID
    agent_name: str
    environment: str


class Revision(Answer):
    """A next version that is being made; follow it by its id. `version` is what it will be called if there is one."""

    revision_id: UUID
    agent_name: str
    version: str


class Step(Answer):
    """`seconds` is None until the step ended."""

    name: str
    status: str
    seconds: Number | None = None
    error: str | None = None
    detail: str | None = None
    agent: str | None = None
    environment: str | None = None


class Turn(Answer):
    """One thing that Zen did for a query: `route` chose who is asked, each `ask` is one agent's turn."""

    name: str
    status: str
    seconds: Number | None = None
    agent: str | None = None
    environment: str | None = None
    detail: str = ""


class Progress(Answer):
    """How far a creation or a deployment is. `status` is pending, running, completed, failed or cancelled."""

    agent_name: str
    status: str
    phase: str = ""
    progress_percentage: Number = 0
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    error_code: str | None = None
    next_step: str | None = None

    @property
    def finished(self) -> bool:
        return self.status not in ("pending", "running")


class Offboarding(Answer):
    """How far an offboarding is. `status` is pending, running, compensating, completed or failed."""

    offboarding_id: UUID
    organization_id: UUID
    slug: str
    status: str
    phase: str = ""
    steps: tuple[Step, ...] = ()
    export: Export | None = None
    error: str | None = None
    next_step: str | None = None
    created_at: datetime
    closed_at: datetime | None = None


class Agent(Answer):
    name: str
    domain: str
    status: str
    version: str
    created_at: datetime


class AgentInstance(Answer):
    """One process of an agent, or one that is meant to run."""

    environment: str
    version: str
    status: str
    restarts: int = 0
    last_error: str | None = None
    host: str | None = None


class AgentIndex(Answer):
    """The index of an agent's newest version; `vectors` is 0 as long as the agent finds by words alone."""

    version: int
    vectors: int
    commit: str | None = None


class AgentDetail(Agent):
    display_name: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    documents: int | None = None
    passages: int | None = None
    commit: str | None = None
    index: AgentIndex | None = None
    questions: int = 0
    accuracy: float | None = None
    edited: bool = False
    repository_url: str | None = None
    instances: tuple[AgentInstance, ...] = ()
    tools: tuple[str, ...] = ()
    isolation: tuple[dict[str, Any], ...] = ()


class Logs(Answer):
    """The newest lines that an agent wrote, oldest first."""

    lines: tuple[str, ...]


class EvaluationFigures(Answer):
    """A question set's outcome, in numbers of questions: of the answerable, `declined` of the unanswerable."""

    answerable: int
    unanswerable: int
    right_file: int
    within_lines: int
    declined: int
    wrongly_declined: int


class EvaluationVerdict(Answer):
    """How one question was answered; None where the question set does not say what would be right."""

    question: str
    answerable: bool
    answered: bool
    right_file: bool | None = None
    within_lines: bool | None = None
    confidence: Number | None = None
    cited: tuple[str, ...] = ()


class Evaluation(Answer):
    """How a running agent did over a question set. `enough` is the confidence it is calibrated to answer from."""

    agent_name: str
    version: str
    environment: str
    retrieval: str
    figures: EvaluationFigures
    enough: Number | None = None
    verdicts: tuple[EvaluationVerdict, ...] = ()


# --- executions -------------------------------------------------------------------------------------------------------

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


# --- analytics --------------------------------------------------------------------------------------------------------


class Summary(Answer):
    total_queries: int = 0
    unique_users: int | None = None
    avg_response_time_ms: Number | None = None
    success_rate: Number | None = None
    total_cost: Number | None = None
    user_satisfaction: Number | None = None
    agent_accuracy: Number | None = None


class AgentPerformance(Answer):
    agent_id: str
    query_count: int = 0
    avg_response_time: Number | None = None
    success_rate: Number | None = None
    user_rating: Number | None = None
    cost_per_query: Number | None = None


class Insights(Answer):
    """§5.2's body: what was not asked for is absent; None where nothing is known yet."""

    summary: Summary
    trends: dict[str, tuple[dict[str, Any], ...]] = {}
    agent_performance: tuple[AgentPerformance, ...] | None = None


class InsightsMetadata(Answer):
    generated_at: datetime
    data_freshness: timedelta
    query_duration_ms: Number


class InsightsReport(Envelope[Insights]):
    """The insights, and how fresh they are."""

    metadata: InsightsMetadata


class Realtime(Answer):
    """The last five minutes; None where nothing ran."""

    avg_response_time_ms: Number | None = None
    success_rate: Number | None = None
    active_workflows: int | None = None
    queue_length: int | None = None


# --- audit and health -------------------------------------------------------------------------------------------------


class AuditEvent(Answer):
    """One event in §5.4's structure."""

    event_id: UUID
    timestamp: datetime
    user_id: str | None = None
    action: dict[str, Any] = {}
    context: dict[str, Any] = {}
    outcome: dict[str, Any] = {}


class HealthOfPart(Answer):
    name: str
    status: str
    detail: str | None = None


class Health(Answer):
    """`status` is ok, or degraded when a part is not."""

    status: str
    version: str | None = None
    parts: tuple[HealthOfPart, ...] = ()
    warnings: tuple[str, ...] = ()


class Model(Answer):
    """A model that may be asked; `owned_by` names the provider that is asked first."""

    id: str
    owned_by: str


class ModelList(Answer):
    data: list[Model]


class ModelProvider(Answer):
    """A provider of models; `platform` ones are the platform's own, whose address is not shown."""

    name: str
    kind: str
    base_url: str | None
    models: dict[str, str] = {}
    priority: int | None = None
    enabled: bool = True
    platform: bool = False
    key_changed_at: datetime | None = None


class ModelTested(Answer):
    """One small call that was answered."""

    provider: str
    model: str
    answer: str
    seconds: float
