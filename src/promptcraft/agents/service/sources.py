"""Where a knowledge source's documents are on this host."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from promptcraft.agents.schemas import KnowledgeSource
from promptcraft.agents.service.factory import Factory
from promptcraft_sdk.knowledge import document_files

UPLOAD_PREFIX = "upload:sha256:"
_ENDINGS = {"markdown": (".md", ".markdown"), "json": (".json",)}


def source_directory(factory: Factory, org_id: UUID, source: KnowledgeSource) -> Path:
    """The directory that an admitted source's documents are below."""
    if source.source.startswith(UPLOAD_PREFIX):
        return factory.places.upload(org_id, source.source.removeprefix(UPLOAD_PREFIX))
    return Path(source.source).resolve()


def documents_of(directory: Path, kind: str) -> list[str]:
    """Relative paths of the documents of one kind; links are not followed."""
    if not directory.is_dir():
        return []
    files = (path for path in document_files(directory) if path.suffix.lower() in _ENDINGS[kind])
    return sorted(path.relative_to(directory).as_posix() for path in files if not path.is_symlink())


def documents_at(factory: Factory, org_id: UUID, source: KnowledgeSource) -> list[str]:
    """Relative paths of an admitted source's documents."""
    return documents_of(source_directory(factory, org_id, source), source.type)


def gather(factory: Factory, org_id: UUID, sources: Iterable[KnowledgeSource], target: Path) -> int:
    """Copy every source's documents below `target`, which is made anew; returns how many."""
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    count = 0
    for source in sources:
        directory = source_directory(factory, org_id, source)
        for name in documents_of(directory, source.type):
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory / name, copy, follow_symlinks=False)
            count += 1
    return count
