"""Whether an agent can be made from what was asked: every reason why not at once, each with its JSON pointer."""

import asyncio
import keyword
import re
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents.errors import SpecNotUsable
from promptcraft.agents.schemas import AgentCreate, AgentSpec, KnowledgeSource, ResourceLimits
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.sources import UPLOAD_PREFIX, documents_at, source_directory
from promptcraft.agents.tables import UploadRow
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.errors import FieldProblem
from promptcraft.registry import exists
from promptcraft.settings import parse_cpu, parse_size
from promptcraft_sdk.configuration import UnusableCapabilitiesError, tool_names

_SPEC = "/agent_spec"
_LIMITS = "/deployment_config/resource_limits"
_INTEGRATION = "/integration_config"
_LEAST_MEMORY = 128 * 2**20
T = TypeVar("T", int, Decimal)


async def admit(session: AsyncSession, actor: Actor, factory: Factory, request: AgentCreate) -> list[str]:
    """Check what the schema cannot. Returns warnings; raises SpecNotUsable with every problem."""
    spec = request.agent_spec
    taken = await asyncio.to_thread(_locked_packages, factory.supplies.lock)
    problems = [*_name_problems(spec.name, taken), *_capability_problems(spec)]
    problems += limit_problems(request.deployment_config.resource_limits, factory)
    problems += await _source_problems(session, actor, factory, spec.knowledge_sources)
    warnings = [*_frequency_warnings(spec.knowledge_sources)]
    integration = request.integration_config
    if integration.custom_endpoints:
        problems.append(FieldProblem(f"{_INTEGRATION}/custom_endpoints", "agents have no network; leave it empty"))
    wanted = {*integration.required_tools, *integration.optional_tools}
    known = await exists(session, actor, wanted) if wanted else frozenset[str]()
    for position, tool in enumerate(integration.required_tools):
        if tool not in known:
            what = "is no registered agent or tool of your organisation"
            problems.append(FieldProblem(f"{_INTEGRATION}/required_tools/{position}", what, "unknown_tool"))
    warnings += [f"The optional tool {t} is not registered." for t in integration.optional_tools if t not in known]
    if problems:
        raise SpecNotUsable("Some values are not usable.", errors=problems)
    return warnings


def limits_of(asked: ResourceLimits, factory: Factory) -> tuple[int, Decimal]:
    """Bytes of memory and cores: what was asked, or the platform's default."""
    memory = parse_size(asked.memory) if asked.memory else factory.limits.memory_bytes
    return memory, parse_cpu(asked.cpu) if asked.cpu else factory.limits.cpus


def limit_problems(asked: ResourceLimits, factory: Factory) -> list[FieldProblem]:
    bounds = factory.limits
    memory = _bounded(asked.memory, parse_size, _LEAST_MEMORY, bounds.memory_bytes, "128M", _megabytes)
    cpu = _bounded(asked.cpu, parse_cpu, Decimal("0.05"), bounds.cpus, "0.05", str)
    found = {"memory": memory, "cpu": cpu}
    return [FieldProblem(f"{_LIMITS}/{name}", problem) for name, problem in found.items() if problem]


def _bounded(
    text: str | None, parse: Callable[[str], T], least: T, most: T, least_text: str, shown: Callable[[T], str]
) -> str | None:
    if text is None:
        return None
    try:
        value = parse(text)
    except ValueError as problem:
        return str(problem)
    return None if least <= value <= most else f"must be between {least_text} and {shown(most)}"


def _megabytes(size: int) -> str:
    return f"{size // 2**20}M"


def _name_problems(name: str, taken: frozenset[str]) -> Iterator[FieldProblem]:
    what = None
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        what = "is a word of the Python language"
    elif name in sys.stdlib_module_names:
        what = "is a module of Python's standard library"
    elif name in taken:
        what = "is a package that every agent uses"
    if what:
        yield FieldProblem(f"{_SPEC}/name", f"{what}; choose another", "name_reserved")


@cache
def _locked_packages(lock: Path) -> frozenset[str]:
    """Packages of the template's lock, and the names that an agent's own repository takes."""
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE)
    return frozenset(name.lower().replace("-", "_").replace(".", "_") for name in pinned) | {
        "promptcraft_sdk", "promptcraft", "tests", "scripts", "config", "knowledge", "vendor",
    }  # fmt: skip


def _capability_problems(spec: AgentSpec) -> Iterator[FieldProblem]:
    try:
        tool_names(spec.capabilities)
    except UnusableCapabilitiesError as refused:
        for position, problem in sorted(refused.problems.items()):
            yield FieldProblem(f"{_SPEC}/capabilities/{position}", problem)


async def _source_problems(
    session: AsyncSession, actor: Actor, factory: Factory, sources: tuple[KnowledgeSource, ...]
) -> list[FieldProblem]:
    at = f"{_SPEC}/knowledge_sources"
    if not sources:
        return [FieldProblem(at, "name at least one source: an agent answers from its knowledge and nothing else")]
    problems: list[FieldProblem] = []
    seen: dict[str, int] = {}
    for position, source in enumerate(sources):
        place = f"{at}/{position}"
        problem = await _source_problem(session, actor, factory, source)
        if problem:
            problems.append(FieldProblem(f"{place}/{problem[0]}", problem[1]))
            continue
        for name in await asyncio.to_thread(documents_at, factory, actor.org_id, source):
            if seen.setdefault(name, position) != position:
                problems.append(FieldProblem(f"{place}/source", f"has a document {name}, as source {seen[name]} has"))
                break
    return problems


async def _source_problem(
    session: AsyncSession, actor: Actor, factory: Factory, source: KnowledgeSource
) -> tuple[str, str] | None:
    if source.type not in ("markdown", "json"):
        return "type", "is not supported yet; markdown and json are"
    if source.source.startswith(UPLOAD_PREFIX):
        sha256 = source.source.removeprefix(UPLOAD_PREFIX)
        if await session.get(UploadRow, (actor.org_id, sha256)) is None:
            return "source", "names no upload of your organisation; upload the documents first"
    elif await asyncio.to_thread(source_directory, factory, actor.org_id, source) is None:
        return "source", "is neither an upload nor in a directory that PROMPTCRAFT_KNOWLEDGE_ROOTS allows"
    if not await asyncio.to_thread(documents_at, factory, actor.org_id, source):
        return "source", f"holds no {source.type} documents"
    return None


def _frequency_warnings(sources: tuple[KnowledgeSource, ...]) -> Iterator[str]:
    for source in sources:
        if source.update_frequency and source.source.startswith(UPLOAD_PREFIX):
            yield f"update_frequency {source.update_frequency} is kept, but an upload never changes by itself."
