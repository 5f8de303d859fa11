"""Who is asked, in which order: by name, by the conversation so far, by how well they fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptcraft.kernel.errors import FieldProblem
from promptcraft.orchestrator.errors import AgentNotFound, AgentNotRunning, NoAgents
from promptcraft.orchestrator.schemas import Asked, Candidate
from promptcraft.orchestrator.service.routing import CLOSE, ENOUGH, MOST_ASKED, RoutingIndex, Weighed
from promptcraft.registry import Server
from promptcraft.runtime import ENVIRONMENTS, Environment

_MOST_NAMED = 5

Endpoints = Mapping[tuple[str, Environment], str]


@dataclass(frozen=True, slots=True)
class Turn:
    """One running agent to ask; `score` is None where the caller named it."""

    server: Server
    endpoint: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The turns in order, none where no agent fits; `candidates` are the agents that were weighed, the best first."""

    turns: tuple[Turn, ...]
    candidates: tuple[Candidate, ...]
    reason: str


def plan_for(asked: Asked, index: RoutingIndex, endpoints: Endpoints, last_agent: str | None) -> Plan:
    """Who is to be asked. Raises AgentNotFound, AgentNotRunning, NoAgents."""
    running = [server for server in index.servers if (server.name, server.environment) in endpoints]
    within = [server for server in running if asked.environment in (None, server.environment)]
    if asked.agent is not None:
        named = [server for server in within if server.name == asked.agent]
        if not named:
            raise _not_there(asked, index)
        turns = [Turn(one, endpoints[one.name, one.environment], None) for one in sorted(named, key=_preference)]
        return Plan(tuple(turns), (), "named by the caller")
    if not within:
        where = f" in {asked.environment}" if asked.environment else ""
        raise NoAgents(f"No agent is running{where} that could be asked.")
    places = {(server.name, server.environment) for server in within}
    weighed = [one for one in index.weigh(asked.query) if (one.server.name, one.server.environment) in places]
    return _by_score(weighed, endpoints, last_agent)


def _by_score(weighed: Sequence[Weighed], endpoints: Endpoints, last_agent: str | None) -> Plan:
    agents = _agents(weighed)
    candidates = tuple(
        Candidate(agent=one.server.name, environment=one.server.environment, score=round(one.score, 4))
        for one in [places[0] for places in agents[:_MOST_NAMED]]
    )
    best = agents[0][0].score
    plausible = [places for places in agents if places[0].score >= max(ENOUGH, CLOSE * best)][:MOST_ASKED]
    reason = f"{len(agents)} weighed, {len(plausible)} plausible"
    before = next((places for places in agents if places[0].server.name == last_agent), None)
    if before is not None and (before in plausible or not plausible):
        plausible = [before, *(places for places in plausible if places is not before)]
        reason = f"stays with {last_agent}, which was asked before"
    turns = [
        Turn(one.server, endpoints[one.server.name, one.server.environment], one.score)
        for places in plausible
        for one in places
    ]
    return Plan(tuple(turns), candidates, reason)


def _agents(weighed: Sequence[Weighed]) -> list[list[Weighed]]:
    """Each agent with the places where it runs, the most preferred environment first, which gives it its score."""
    by_name: dict[str, list[Weighed]] = {}
    for one in weighed:
        by_name.setdefault(one.server.name, []).append(one)
    for places in by_name.values():
        places.sort(key=lambda one: _preference(one.server))
    return sorted(by_name.values(), key=lambda places: (-places[0].score, places[0].server.name))


def _preference(server: Server) -> int:
    return ENVIRONMENTS.index(server.environment)


def _not_there(asked: Asked, index: RoutingIndex) -> AgentNotFound | AgentNotRunning:
    if all(server.name != asked.agent for server in index.servers):
        detail = f"No agent {asked.agent} is registered."
        return AgentNotFound(detail, errors=[FieldProblem("/agent", detail, "agent_not_found")])
    detail = f"{asked.agent} is not running" + (f" in {asked.environment}." if asked.environment else ".")
    return AgentNotRunning(
        detail,
        errors=[FieldProblem("/environment" if asked.environment else "/agent", detail, "agent_not_running")],
        next_step=f"Start it with `pc-hybrid agent deploy {asked.agent}`.",
    )
