"""What the factory works with in one process."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from promptcraft.agents.clients import Places
from promptcraft.agents.service.supplies import Supplies
from promptcraft.kernel.db import Database
from promptcraft.registry import McpUpstream
from promptcraft.runtime import RuntimeDriver


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bound and default of one agent: bytes of memory, cores."""

    memory_bytes: int
    cpus: Decimal


@dataclass(frozen=True, slots=True)
class Factory:
    """`commands` runs one-shot commands in isolation; `knowledge_roots` are the directories that a source may name."""

    db: Database
    places: Places
    supplies: Supplies
    commands: RuntimeDriver = field(repr=False)
    upstream: McpUpstream = field(repr=False)
    git_author: str
    knowledge_roots: tuple[Path, ...]
    limits: Limits
