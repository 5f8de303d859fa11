"""The Agent Factory's bodies (specification §5.1), and what an agent looks like from outside."""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from promptcraft.kernel.jobs import StepView
from promptcraft.kernel.texts import Storable
from promptcraft.runtime import Environment, RestartPolicy
from promptcraft_sdk.configuration import NAME_PATTERN, Calibration, Retrieval
from promptcraft_sdk.questions import MOST_QUESTIONS, AskedQuestion, Figures, Verdict

_LONGEST_TEXT = 10_000

AgentStatus = Literal["building", "built", "deploying", "running", "unhealthy", "stopped", "failed"]


def _usable_name(name: str) -> str:
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"must match {NAME_PATTERN}")
    if name.endswith("_"):
        raise ValueError("must not end in _")
    return name


AgentName = Annotated[
    str,
    AfterValidator(_usable_name),
    Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_]{1,39}[a-z0-9]$", "examples": ["tax_advisor"]}),
]
Change = Literal["push", "template", "knowledge"]
Frequency = Literal["daily", "weekly", "monthly"]
Text = Annotated[str, Field(max_length=_LONGEST_TEXT), Storable]
Word = Annotated[str, Field(min_length=1, max_length=_LONGEST_TEXT), Storable]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class KnowledgeSource(_Body):
    """Where an agent's knowledge comes from: an upload's `source`, or a directory of this host that settings allow."""

    type: Literal["markdown", "json", "api", "database"]
    source: Annotated[
        str, Field(min_length=1, max_length=1_000, examples=["upload:sha256:9f86d081884c7d65…"]), Storable
    ]
    update_frequency: Frequency | None = None


class AgentSpec(_Body):
    name: AgentName
    display_name: Text = ""
    description: Text = ""
    domain: Annotated[str, Field(max_length=200, examples=["finance"]), Storable]
    keywords: Annotated[tuple[Word, ...], Field(max_length=100)] = ()
    capabilities: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    knowledge_sources: Annotated[tuple[KnowledgeSource, ...], Field(max_length=20)] = ()
    questions: Annotated[
        tuple[AskedQuestion, ...],
        Field(max_length=MOST_QUESTIONS, description="held in tests/questions.yaml; the share answered right is shown"),
    ] = ()


class ResourceLimits(_Body):
    """As Docker and Kubernetes write them: "512M", "1Gi"; "0.5", "500m". Left out: the platform's defaults."""

    memory: Annotated[str, Field(max_length=20, examples=["512M"])] | None = None
    cpu: Annotated[str, Field(max_length=20, examples=["0.5"])] | None = None


class DeploymentConfig(_Body):
    environment: Environment = "development"
    resource_limits: ResourceLimits = ResourceLimits()
    auto_deploy: StrictBool = False


class IntegrationConfig(_Body):
    required_tools: Annotated[tuple[Word, ...], Field(max_length=100)] = ()
    optional_tools: Annotated[tuple[Word, ...], Field(max_length=100)] = ()
    custom_endpoints: Annotated[tuple[Word, ...], Field(max_length=100)] = ()


class AgentCreate(_Body):
    agent_spec: AgentSpec
    deployment_config: DeploymentConfig = DeploymentConfig()
    integration_config: IntegrationConfig = IntegrationConfig()


class CreationAccepted(BaseModel):
    """`estimated_duration_minutes` is the median of the organisation's past creations, null before the first."""

    model_config = ConfigDict(frozen=True)

    creation_id: UUID
    estimated_duration_minutes: float | None
    agent_name: str
    repository_url: str
    progress_endpoint: str


class CreationEnvelope(BaseModel):
    status: Literal["accepted"] = "accepted"
    data: CreationAccepted
    next_steps: list[str]


class DeployRequest(_Body):
    agent_name: str
    environment: Environment = "development"
    restart_policy: RestartPolicy = "unless-stopped"


class DeploymentAccepted(BaseModel):
    model_config = ConfigDict(frozen=True)

    deployment_id: UUID
    agent_name: str
    environment: Environment
    progress_endpoint: str


class RevisionAccepted(BaseModel):
    """`version` is what the next version will be called, if there is anything new and it passes the gate."""

    model_config = ConfigDict(frozen=True)

    revision_id: UUID
    agent_name: str
    version: str
    progress_endpoint: str


class Progress(BaseModel):
    """How far a creation or deployment is; `phase` is the step it is in, or the one that it ended at.

    What failed or was cancelled is running until all that it did is undone.
    """

    model_config = ConfigDict(frozen=True)

    agent_name: str
    status: Literal["pending", "running", "completed", "failed", "cancelled"]
    phase: str
    progress_percentage: int
    steps: tuple[StepView, ...]
    warnings: tuple[str, ...]
    error: str | None
    error_code: str | None
    next_step: str | None


class DeployedInstance(BaseModel):
    """One running (or meant to run) instance; `isolation` names what keeps it in and what holds each limit."""

    model_config = ConfigDict(frozen=True)

    environment: Environment
    version: str
    status: AgentStatus
    restart_policy: RestartPolicy
    restarts: int
    last_error: str | None
    host: str | None


class Agent(BaseModel):
    """An agent in a list. `version` counts 1, 2, ... as text."""

    model_config = ConfigDict(frozen=True)

    name: str
    domain: str
    status: AgentStatus
    version: str
    created_at: datetime


class AgentIndex(BaseModel):
    """The index of the newest version. It grows after the version was built: `version` counts 1, 2, ...

    `vectors` is 0 until those of its passages are there; until then the agent finds by words alone. `commit` is the
    newest commit that came of it, null as long as that is the version's own.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    vectors: int
    commit: str | None


class AgentDetail(Agent):
    """`accuracy` is the share of the `questions` held in its repository that the newest version's gate found right."""

    display_name: str
    description: str
    keywords: tuple[str, ...]
    capabilities: tuple[str, ...]
    documents: int
    passages: int
    commit: str | None
    index: AgentIndex | None
    questions: int
    accuracy: float | None
    edited: bool
    repository_url: str
    instances: tuple[DeployedInstance, ...]
    tools: tuple[str, ...]
    isolation: tuple[dict[str, object], ...]


class Logs(BaseModel):
    """The newest lines that the agent printed, oldest first."""

    model_config = ConfigDict(frozen=True)

    lines: tuple[str, ...]


class Upload(BaseModel):
    """Knowledge that was stored; `source` is what a knowledge source names it by, `bytes` its size unpacked."""

    model_config = ConfigDict(frozen=True)

    source: str
    documents: int
    bytes: int


class Order(BaseModel):
    """What the pipeline works from: the admitted spec, in the form that its job keeps."""

    model_config = ConfigDict(frozen=True)

    CREATE: ClassVar[str] = "agents.create"
    DEPLOY: ClassVar[str] = "agents.deploy"

    agent_id: UUID
    version: int
    spec: AgentSpec
    environment: Environment
    restart_policy: RestartPolicy = "unless-stopped"
    memory_bytes: int
    cpus: float
    requested_at: datetime
    deploys: bool
    # Whether this version runs in this environment already: what fails then takes nothing away.
    redeploys: bool = False
    # Where the same version goes once it runs here.
    further: tuple[Environment, ...] = ()


class Revision(BaseModel):
    """What an agent's next version comes of, and the stage it had before; `environments` get it one after the other."""

    model_config = ConfigDict(frozen=True)

    KIND: ClassVar[str] = "agents.revise"

    order: Order
    change: Change
    stage: str
    edited: bool
    environments: tuple[Environment, ...]
    requested_at: datetime


class Removal(BaseModel):
    """An agent that was deleted: what is left of it to clear away."""

    model_config = ConfigDict(frozen=True)

    KIND: ClassVar[str] = "agents.remove"

    agent_id: UUID
    name: str
    instance_ids: tuple[UUID, ...]


class IndexGrowth(BaseModel):
    """What the index of a built version shall be given: vectors of its passages or, with one, a calibration."""

    model_config = ConfigDict(frozen=True)

    KIND: ClassVar[str] = "agents.index"

    agent_id: UUID
    name: str
    version: int
    requested_at: datetime
    calibration: Calibration | None = None


class EvaluationRequest(_Body):
    """A question set; `calibrate` makes the agent answer from the confidence on that fits it best."""

    questions: Annotated[tuple[AskedQuestion, ...], Field(min_length=1, max_length=MOST_QUESTIONS)]
    environment: Environment | None = None
    calibrate: StrictBool = False


class AgentEvaluation(BaseModel):
    """How a running agent did. `enough` is the threshold it is calibrated to, null where none was asked for."""

    model_config = ConfigDict(frozen=True)

    agent_name: str
    version: str
    environment: Environment
    retrieval: Retrieval
    figures: Figures
    enough: float | None
    verdicts: tuple[Verdict, ...]
