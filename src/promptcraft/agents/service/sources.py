"""Where a knowledge source's documents are on this host."""

import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from promptcraft.agents.errors import SpecNotUsable
from promptcraft.agents.schemas import AgentSpec, Frequency, KnowledgeSource
from promptcraft.agents.service.factory import Factory
from promptcraft_sdk.knowledge import document_files

UPLOAD_PREFIX = "upload:sha256:"
_DAYS: Final[dict[Frequency, int]] = {"daily": 1, "weekly": 7, "monthly": 30}
_ENDINGS = {"markdown": (".md", ".markdown"), "json": (".json",)}


def first_refresh(spec: AgentSpec, at: datetime) -> datetime | None:
    """When an agent's sources are due to be read again; None where it names no directory, or no frequency."""
    wanted = [
        _DAYS[source.update_frequency]
        for source in spec.knowledge_sources
        if source.update_frequency and not source.source.startswith(UPLOAD_PREFIX)
    ]
    return at + timedelta(days=min(wanted)) if wanted else None


def source_directory(factory: Factory, org_id: UUID, source: KnowledgeSource) -> Path | None:
    """The directory that a source's documents are below; None where it is neither an upload's nor below a root."""
    if source.source.startswith(UPLOAD_PREFIX):
        return factory.places.upload(org_id, source.source.removeprefix(UPLOAD_PREFIX))
    path = Path(source.source)
    if not path.is_absolute():
        return None
    path = path.resolve()
    allowed = any(path.is_relative_to(root.resolve()) for root in factory.knowledge_roots)
    return path if allowed and path.is_dir() else None


def documents_of(directory: Path, kind: str) -> list[str]:
    """Relative paths of the documents of one kind; links are not followed."""
    if not directory.is_dir():
        return []
    files = (path for path in document_files(directory) if path.suffix.lower() in _ENDINGS[kind])
    return sorted(path.relative_to(directory).as_posix() for path in files if not path.is_symlink())


def documents_at(factory: Factory, org_id: UUID, source: KnowledgeSource) -> list[str]:
    """Relative paths of a source's documents."""
    directory = source_directory(factory, org_id, source)
    return documents_of(directory, source.type) if directory else []


def gather(factory: Factory, org_id: UUID, sources: Iterable[KnowledgeSource], target: Path) -> int:
    """Copy every source's documents below `target`, which is made anew; returns how many.

    Raises SpecNotUsable where a source's path leads elsewhere by now than when it was admitted.
    """
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    count = 0
    for source in sources:
        directory = source_directory(factory, org_id, source)
        if directory is None:
            raise SpecNotUsable(f"{source.source} is no longer a directory that PROMPTCRAFT_KNOWLEDGE_ROOTS allows.")
        for name in documents_of(directory, source.type):
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory / name, copy, follow_symlinks=False)
            count += 1
    return count
