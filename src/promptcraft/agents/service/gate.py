"""The gate: what an agent's files must pass, in the isolation that the agent will run in, before they are a version.

What only reads the files runs by the platform's own settings and without a line of theirs; beside it, at the same time,
they are run: their tests, and the questions that their people ask.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from promptcraft.agents.clients.places import open_to_agents
from promptcraft.agents.errors import CodeUnsafe, QuestionsNotUsable, SecretFound, VerificationFailed
from promptcraft.agents.service.factory import Factory
from promptcraft.runtime import CompletedRun, InstanceSpec
from promptcraft.runtime import Limits as RuntimeLimits
from promptcraft_sdk.leaks import Leak
from promptcraft_sdk.questions import HELD, Outcome

# One thread for numpy's algebra: an agent has few processors, and its threads count as processes.
VARIABLES = {"PYTHONPATH": "src", "OPENBLAS_NUM_THREADS": "1"}
_SECONDS = 120.0
_MEMORY = 1024 * 2**20
_SHOWN = 1500
_MOST_FINDINGS = 10
# Isolated from the directory it runs in: no module of the repository takes the place of one that is meant.
_PYTHON = ("python", "-I")
# The code is read-only in there, so nothing may write beside it.
_COMPILE = "import pathlib; [compile(p.read_bytes(), str(p), 'exec') for p in pathlib.Path('.').rglob('*.py')]"
# Runs a program of the environment, whose place only the inside knows: {checks} is what set-up laid there for the gate.
_BY_CHECKS = """
import os, shutil, sys
checks = os.path.join(sys.prefix, "checks")
if "{cache}" in sys.argv:
    shutil.copytree(os.path.join(checks, "mypy-cache"), os.environ["HOME"] + "/mypy-cache")
words = {"{checks}": checks + "/pyproject.toml", "{cache}": os.environ["HOME"] + "/mypy-cache"}
argv = [words.get(word, word) for word in sys.argv[1:]]
os.execvp(argv[0], argv)
"""
_COMPILING = (*_PYTHON, "-c", _COMPILE)
_SECRETS = (*_PYTHON, "-m", "promptcraft_sdk.leaks")
# Medium and above: what is below is style, and the linter's. Neither a file of theirs nor a comment waves it through.
_SECURITY = (
    *_PYTHON, "-m", "bandit", "--recursive", ".", "--quiet", "--format", "json", "--ini", "/dev/null", "--ignore-nosec",
    "--severity-level", "medium", "--confidence-level", "medium",
)  # fmt: skip
_LINT = (
    *_PYTHON,
    "-c",
    _BY_CHECKS,
    "ruff",
    "check",
    "--no-cache",
    "--no-respect-gitignore",
    "--config",
    "{checks}",
    ".",
)
_TYPES = (
    *_PYTHON, "-c", _BY_CHECKS,
    *_PYTHON, "-m", "mypy", "--config-file", "{checks}", "--cache-dir", "{cache}", "src", "tests", "scripts",
)  # fmt: skip
_TESTS = ("python", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Files that shall become a version. Those that are `trusted` came of the built-in template and nothing else."""

    job_id: UUID
    name: str
    files: Path
    trusted: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """How long each check took, and what the held questions found; no questions, no finding."""

    seconds: dict[str, float]
    questions: int
    right: int

    def result(self) -> dict[str, Any]:
        """What a job's step keeps of it."""
        return {"seconds": self.seconds, "questions": self.questions, "right": self.right}


async def pass_gate(factory: Factory, candidate: Candidate) -> Passed:
    """Check and test the files. Raises SecretFound, CodeUnsafe, QuestionsNotUsable, VerificationFailed with the reason.

    Also IsolationUnavailable, where files that are not trusted cannot be kept in on this host.
    """
    await asyncio.to_thread(open_to_agents, candidate.files)
    read, run = await asyncio.gather(_read(factory, candidate), _run(factory, candidate), return_exceptions=True)
    if isinstance(read, BaseException):
        raise read
    if isinstance(run, BaseException):
        raise run
    seconds, asked = run
    return Passed(read | seconds, asked.questions if asked else 0, asked.right if asked else 0)


async def _read(factory: Factory, candidate: Candidate) -> dict[str, float]:
    """What looks at the files without running them."""
    seconds: dict[str, float] = {}

    async def check(name: str, argv: Sequence[str]) -> CompletedRun:
        done = await factory.commands.run(_spec(factory, candidate, {}), argv, _SECONDS)
        seconds[name] = round(done.seconds, 2)
        return done

    _must_pass(candidate, "compile", await check("compile", _COMPILING))
    _must_hold_no_secret(await check("secrets", _SECRETS))
    _must_be_safe(await check("security", _SECURITY))
    _must_pass(candidate, "ruff", await check("ruff", _LINT))
    _must_pass(candidate, "types", await check("types", _TYPES))
    return seconds


async def _run(factory: Factory, candidate: Candidate) -> tuple[dict[str, float], Outcome | None]:
    """The files' own tests, and the questions that they hold."""
    spec = _spec(factory, candidate, VARIABLES)
    tests = await factory.commands.run(spec, _TESTS, _SECONDS)
    _must_pass(candidate, "tests", tests)
    seconds = {"tests": round(tests.seconds, 2)}
    if not await asyncio.to_thread((candidate.files / HELD).is_file):
        return seconds, None
    asked = await factory.commands.run(spec, ("python", "-m", "promptcraft_sdk.examination", candidate.name), _SECONDS)
    if asked.exit_code == 2:
        raise QuestionsNotUsable(asked.stderr.strip()[-_SHOWN:])
    _must_pass(candidate, "questions", asked)
    try:
        outcome = Outcome.model_validate_json(asked.stdout.strip().rpartition("\n")[2])
    except ValidationError:
        raise VerificationFailed("questions failed: the agent printed something after their outcome.") from None
    return seconds | {"questions": round(asked.seconds, 2)}, outcome


def _spec(factory: Factory, candidate: Candidate, variables: dict[str, str]) -> InstanceSpec:
    return InstanceSpec(
        instance_id=candidate.job_id,
        name=candidate.name,
        code=candidate.files,
        environment=factory.supplies.environment,
        argv=("python",),
        variables=variables,
        limits=RuntimeLimits(memory_bytes=_MEMORY, cpus=2),
        trusted_template=candidate.trusted,
    )


def _must_pass(candidate: Candidate, name: str, done: CompletedRun) -> None:
    if done.exit_code != 0:
        said = (done.stdout + done.stderr).strip()[-_SHOWN:] or done.reason
        theirs = None if candidate.trusted else "Correct it, run the same check at home, commit, and push again."
        raise VerificationFailed(f"{name} failed: {said}", next_step=theirs)


def _must_hold_no_secret(done: CompletedRun) -> None:
    if done.exit_code == 0:
        return
    try:
        leaks = [Leak.model_validate_json(line) for line in done.stdout.splitlines()]
    except ValidationError:
        leaks = []
    if not leaks:
        raise VerificationFailed(f"secrets failed: {done.stderr.strip()[-_SHOWN:] or done.reason}")
    found = [f"{one.file}:{one.line} holds a {one.kind.replace('_', ' ')}, {one.masked}" for one in leaks]
    raise SecretFound(_listed(found))


def _must_be_safe(done: CompletedRun) -> None:
    try:
        results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    except (ValueError, KeyError, TypeError):
        raise VerificationFailed(f"security failed: {done.stderr.strip()[-_SHOWN:] or done.reason}") from None
    if results:
        raise CodeUnsafe(
            _listed([
                f"{one['filename'].removeprefix('./')}:{one['line_number']} {one['issue_text']} ({one['test_id']})"
                for one in results
            ])
        )  # fmt: skip


def _listed(found: Sequence[str]) -> str:
    more = f"; and {len(found) - _MOST_FINDINGS} more" if len(found) > _MOST_FINDINGS else ""
    return "; ".join(found[:_MOST_FINDINGS]) + more + "."
