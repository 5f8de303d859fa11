"""Agents, and the work on them."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from promptcraft_sdk.client.schemas.base import Answer, Number, Sent
from promptcraft_sdk.client.schemas.identity import Export

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
