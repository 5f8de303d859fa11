"""What a program to run looks like, and what is known of one that runs. Sizes in bytes, times in seconds, CPU in
cores.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Literal, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from promptcraft.kernel.outbox import Fact
from promptcraft_sdk.configuration import NAME_PATTERN

MEBIBYTE = 1024 * 1024

Verdict = Literal["held", "leaked"]
Environment = Literal["production", "staging", "development"]
# the one that counts most first
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)
RestartPolicy = Literal["unless-stopped", "always", "no"]
# pending: nothing done yet; failed: ended or never started, `last_error` says why; stopped: ended well, stays ended
Observed = Literal["pending", "starting", "healthy", "unhealthy", "failed", "stopped"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Frozen):
    """The most that one program may take. `file_bytes` bounds each file, `scratch_bytes` all of its scratch
    directory.
    """

    memory_bytes: Annotated[int, Field(ge=16 * MEBIBYTE)] = 512 * MEBIBYTE
    cpus: Annotated[float, Field(ge=0.01, le=1024)] = 0.5
    processes: Annotated[int, Field(ge=4, le=65_536)] = 64
    file_bytes: Annotated[int, Field(ge=MEBIBYTE)] = 64 * MEBIBYTE
    scratch_bytes: Annotated[int, Field(ge=MEBIBYTE)] = 64 * MEBIBYTE
    open_files: Annotated[int, Field(ge=64)] = 1024


class InstanceSpec(_Frozen):
    """One program and all it gets to see.

    `argv[0]` is looked up in the environment's `bin`, then in the system's; the working directory is `code`. What else
    the program is told stands in its variables: AGENT_SOCKET (where to listen), HOME and TMPDIR (its scratch),
    PLATFORM_SOCKETS (the directory of the extra sockets, each `<name>.sock`), and `variables`.
    """

    instance_id: UUID
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
    code: Path = Field(description="the version's directory; read-only, readable by every user")
    environment: Path = Field(description="prefix with bin/python; read-only, readable by every user")
    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    variables: Mapping[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], str] = {}
    limits: Limits = Limits()
    extra_sockets: Mapping[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")], Path] = Field(
        default={}, description="host sockets that this program alone may call; as root they become its uid's"
    )
    trusted_template: bool = Field(default=False, description="unmodified, by content hash, from the built-in template")


class Handle(_Frozen):
    """A program that a driver started. `socket` appears once the program listens, and is safe to connect to."""

    instance_id: UUID
    socket: Path
    pid: int


class ProgramState(_Frozen):
    running: bool
    exit_code: int | None = Field(default=None, description="negative: ended by that signal")
    reason: str = Field(default="", description="why it ended, for people")


class Usage(_Frozen):
    """`cpu_seconds` counts from the start of the program, `memory_bytes` is what it holds now."""

    cpu_seconds: float
    memory_bytes: int


class CompletedRun(_Frozen):
    """Outcome of a one-shot command; each stream is cut to its last mebibyte. `exit_code` is null when the time ran
    out.
    """

    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float
    reason: str = ""


class LimitsHeld(_Frozen):
    """By what each limit is held, or "none"."""

    memory: str
    cpu: str
    processes: str
    file_size: str


class IsolationReport(_Frozen):
    """What keeps a program in, as proved by a probe that ran inside at the driver's start."""

    driver: str
    isolated: bool
    separation: Literal["own uid", "user namespace", "none"]
    network: Literal["none", "host"]
    seccomp: bool
    limits: LimitsHeld
    checks: Mapping[str, Verdict] = {}
    warnings: tuple[str, ...] = ()


class InstanceDesired(_Frozen):
    """An agent's version that shall run in an environment. Asking for the same one again changes what is different."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    version: Annotated[str, Field(min_length=1, max_length=40)]
    environment: Environment = "development"
    code: Path
    python: Path = Field(description="prefix of the environment that its Python is in")
    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    variables: Mapping[str, str] = {}
    limits: Limits = Limits()
    restart_policy: RestartPolicy = "unless-stopped"
    trusted_template: bool = Field(default=False, description="unmodified, by content hash, from the built-in template")


class Instance(_Frozen):
    """One instance, as it is desired and as its host's runtime last saw it. `socket` is there while it is healthy."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    id: UUID
    name: str
    version: str
    environment: Environment
    restart_policy: RestartPolicy
    desired: Literal["running", "removed"]
    observed: Observed
    socket: Path | None
    pid: int | None
    host: str | None
    restarts: int
    exit_code: int | None
    last_error: str | None
    created_at: datetime
    started_at: datetime | None
    healthy_at: datetime | None


class HostReport(IsolationReport):
    """What a host's living runtime found about isolation at its start."""

    host: str
    started_at: datetime


class RuntimeUsage(Fact):
    """What one instance used between `since` and `at`."""

    topic: ClassVar[str] = "runtime.usage"

    instance_id: UUID
    agent: str
    version: str
    environment: Environment
    since: datetime
    at: datetime
    cpu_seconds: Decimal
    gib_seconds: Decimal
