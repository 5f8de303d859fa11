"""What an agent is, as its `config/agent.json` says; the factory writes that file and the agent reads it.

This module imports nothing heavy, so that the factory and the tests of an agent can use it without a server.
"""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

CONFIG_FILE: Final = Path("config") / "agent.json"
DOCUMENTS: Final = Path("knowledge") / "documents"
INDEX: Final = Path("knowledge") / "index"
VECTORS: Final = INDEX / "vectors"
CALIBRATION: Final = Path("knowledge") / "calibration.json"
NAME_PATTERN: Final = r"^[a-z][a-z0-9_]{2,40}$"
ASK: Final = "ask"
# In the `_meta` of a request: what lets the agent ask a model for it ({"grant": text, "seconds": number}).
MODEL_META: Final = "io.promptcraft/model"

_LONGEST_TOOL_NAME = 60


class KnowledgeSource(BaseModel):
    """Where knowledge came from, as the specification of the agent named it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["markdown", "json"]
    source: str
    update_frequency: Literal["daily", "weekly", "monthly"] | None = None


class AgentConfig(BaseModel):
    """The whole of `config/agent.json`. All texts are shown as they are, never run, never rendered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    version: str = "1"
    display_name: str
    description: str = ""
    domain: str = ""
    keywords: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    knowledge_sources: tuple[KnowledgeSource, ...] = ()

    @field_validator("capabilities")
    @classmethod
    def _nameable(cls, capabilities: tuple[str, ...]) -> tuple[str, ...]:
        tool_names(capabilities)
        return capabilities

    @property
    def tools(self) -> dict[str, str]:
        """The name of each capability's tool, with the capability's text."""
        return dict(zip(tool_names(self.capabilities), self.capabilities, strict=True))

    @property
    def own_words(self) -> tuple[str, ...]:
        """What the agent itself is called: words that fit any question to it, and so are no evidence."""
        return self.name, self.display_name, self.domain


Retrieval = Literal["bm25", "fused"]
# From which confidence on there is an answer, where no question set has said otherwise.
ENOUGH: Final[Mapping[Retrieval, float]] = {"bm25": 0.45, "fused": 0.56}


class Calibration(BaseModel):
    """The whole of `knowledge/calibration.json`: from which confidence on an agent answers, found by its questions.

    It counts only for the way of retrieval that it was found with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    retrieval: Retrieval
    enough: Annotated[float, Field(ge=0, le=1)]
    questions: Annotated[int, Field(ge=1)]


class UnusableCapabilitiesError(ValueError):
    """Capabilities that no distinct tool names can be made of; `problems` maps their positions to what is wrong."""

    def __init__(self, problems: dict[int, str]) -> None:
        super().__init__("; ".join(f"/capabilities/{at}: {problem}" for at, problem in sorted(problems.items())))
        self.problems = problems


def tool_name(capability: str) -> str:
    """The ASCII slug of a capability: `compute_vat_eu` of "Compute VAT (EU)"; empty without ASCII letter or digit."""
    ascii_text = unicodedata.normalize("NFKD", capability).encode("ascii", "ignore").decode().lower()
    slug = "_".join(re.findall(r"[a-z0-9]+", ascii_text))
    if len(slug) > _LONGEST_TOOL_NAME:
        slug = slug[: _LONGEST_TOOL_NAME + 1].rpartition("_")[0] or slug[:_LONGEST_TOOL_NAME]
    return slug


def tool_names(capabilities: Sequence[str]) -> list[str]:
    """The tool name of each capability, in order. Raises UnusableCapabilitiesError on an empty or equal one."""
    names = [tool_name(capability) for capability in capabilities]
    positions = defaultdict[str, list[int]](list)
    for at, name in enumerate(names):
        positions[name].append(at)
    problems = {at: "has no ASCII letter or digit to name a tool by" for at in positions.pop("", [])}
    problems |= {at: f"names the tool `{ASK}`, which every agent has already" for at in positions.pop(ASK, [])}
    for name, equal in positions.items():
        if len(equal) > 1:
            problems |= {at: f"names the tool `{name}`, as another capability does" for at in equal}
    if problems:
        raise UnusableCapabilitiesError(problems)
    return names


def load_config(path: Path) -> AgentConfig:
    """Read `config/agent.json`. Raises OSError, or ValueError saying what in it is wrong."""
    return AgentConfig.model_validate_json(path.read_bytes())


def load_calibration(path: Path) -> Calibration | None:
    """Read `knowledge/calibration.json`; None where there is none that can be used."""
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def dump_config(config: AgentConfig) -> str:
    """The text of `config/agent.json`: the same configuration gives the same bytes."""
    return json.dumps(config.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
