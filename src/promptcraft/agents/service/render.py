"""An agent's repository as files: the template, and the one data file that holds all that a person wrote."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml
from copier import run_copy

from promptcraft.agents.service.supplies import Supplies
from promptcraft_sdk.configuration import (
    CONFIG_FILE,
    DOCUMENTS,
    INDEX,
    VECTORS,
    AgentConfig,
    dump_config,
    load_config,
)
from promptcraft_sdk.evaluation import QUESTIONS, HeldQuestions, hold_questions
from promptcraft_sdk.knowledge import Ingested, ingest, load_index
from promptcraft_sdk.questions import HELD, AskedQuestion

_PASSAGES: Final = "passages.jsonl"


def render_repository(target: Path, config: AgentConfig, documents: Path, supplies: Supplies) -> None:
    """Write a whole repository, but for the index of its knowledge, to the directory `target`.

    The template is given the identifier alone; what else the configuration says goes into one data file.
    """
    run_copy(str(supplies.template), target, data={"name": config.name}, defaults=True, quiet=True, unsafe=False)
    config_file = target / CONFIG_FILE
    config_file.parent.mkdir(exist_ok=True)
    config_file.write_text(dump_config(config), encoding="utf-8")
    shutil.copytree(documents, target / DOCUMENTS, symlinks=True)
    vendored = target / "vendor" / supplies.wheel.name
    vendored.parent.mkdir(exist_ok=True)
    shutil.copyfile(supplies.wheel, vendored)
    (target / "requirements.lock").write_text(_lock(supplies), encoding="utf-8")


def _lock(supplies: Supplies) -> str:
    packages = [line for line in supplies.lock.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    digest = hashlib.sha256(supplies.wheel.read_bytes()).hexdigest()
    wheel = f"./vendor/{supplies.wheel.name} \\\n    --hash=sha256:{digest}"
    head = "# Every package by its hash; they come from the index that pip is set to, the SDK from vendor/."
    return "\n".join([head, *packages, wheel, ""])


def index_knowledge(repository: Path) -> Ingested:
    """Write the index of the repository's documents. Raises KnowledgeError."""
    return ingest(repository / DOCUMENTS, repository / INDEX)


def index_anew(repository: Path) -> Ingested:
    """Write the index of the repository's documents unless it is the very same; vectors of the same passages stay.

    Raises KnowledgeError.
    """
    index = repository / INDEX
    fresh = repository.with_name(f"{repository.name}.index")
    found = ingest(repository / DOCUMENTS, fresh)
    vectors = repository / VECTORS
    if not _same(fresh, index, apart=vectors):
        if vectors.is_dir() and (fresh / _PASSAGES).read_bytes() == _content(index / _PASSAGES):
            shutil.copytree(vectors, fresh / vectors.name)
        shutil.rmtree(index, ignore_errors=True)
        index.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(fresh, index)
    shutil.rmtree(fresh)
    return found


def render_anew(repository: Path, supplies: Supplies) -> None:
    """Make a rendered repository what the template of today makes of it: its knowledge and its questions stay."""
    target = repository.with_name(f"{repository.name}.new")
    shutil.rmtree(target, ignore_errors=True)
    render_repository(target, load_config(repository / CONFIG_FILE), repository / DOCUMENTS, supplies)
    shutil.copytree(repository / INDEX, target / INDEX)
    for questions in (QUESTIONS, HELD):
        if (repository / questions).is_file():
            shutil.copyfile(repository / questions, target / questions)
    shutil.rmtree(repository)
    target.rename(repository)


def _same(fresh: Path, index: Path, *, apart: Path) -> bool:
    files = {path.relative_to(fresh): path.read_bytes() for path in fresh.rglob("*") if path.is_file()}
    there = [path for path in index.rglob("*") if path.is_file() and not path.is_relative_to(apart)]
    return files == {path.relative_to(index): path.read_bytes() for path in there}


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def write_tests(repository: Path, asked: Sequence[AskedQuestion] = ()) -> HeldQuestions:
    """Write the questions that the repository's tests ask, made from its knowledge, and those that people brought."""
    if asked:
        plain = [one.model_dump(mode="json", exclude_defaults=True) for one in asked]
        text = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=110)
        (repository / HELD).write_text(text, encoding="utf-8")
    held = hold_questions(load_index(repository / INDEX))
    (repository / QUESTIONS).write_text(held.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return held
