"""What a registered server looks like: who it is, what it is about, where it answers, which tools it has."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from promptcraft.kernel.outbox import Fact
from promptcraft.runtime import Environment
from promptcraft_sdk.configuration import NAME_PATTERN

Kind = Literal["agent", "mcp_server"]
ServerName = Annotated[str, Field(pattern=NAME_PATTERN)]


class ServerStatus(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"


class ToolContract(BaseModel):
    """A tool as its server listed it, its schemas untouched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    input_schema: dict[str, Any] = {}
    output_schema: dict[str, Any] | None = None


class Evaluation(BaseModel):
    """What a gate found: so many of its held questions were answered right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: Annotated[int, Field(ge=1)]
    correct: Annotated[int, Field(ge=0)]


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    name: ServerName
    kind: Kind = "agent"
    environment: Environment
    version: str
    display_name: str = ""
    description: str = ""
    domain: str = ""
    keywords: tuple[str, ...] = ()
    knowledge_terms: tuple[str, ...] = Field(
        default=(),
        description="titles, then words of its knowledge, the most telling first; it is routed by them",
    )
    instance_id: UUID | None = None
    endpoint: Annotated[str, Field(min_length=1, description="path of the UNIX socket that it serves MCP on")]
    tools: tuple[ToolContract, ...] = ()


class ServerRegistration(_Described):
    """A server to register; the one of the same name and environment is replaced. Only a running one is routed to."""

    status: ServerStatus = ServerStatus.RUNNING
    evaluation: Evaluation | None = None


class Server(_Described):
    status: ServerStatus
    registered_at: datetime


class ServerRegistered(Fact):
    """A version of a server took its place in an environment. `evaluation` is null where no gate was held."""

    topic: ClassVar[str] = "registry.server_registered"

    server: str
    kind: Kind
    environment: Environment
    version: str
    registered_at: datetime
    evaluation: Evaluation | None


class ToolResult(BaseModel):
    """What a tool answered: its structured content where it gives one."""

    model_config = ConfigDict(frozen=True)

    structured: dict[str, Any] | None
