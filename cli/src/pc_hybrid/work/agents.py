"""Agents that exist."""

from collections.abc import Iterator, Mapping
from typing import Any

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import clipped, plural, safe, safe_lines, table
from pc_hybrid.work.figures import UNKNOWN, moment
from promptcraft_sdk.client import api
from promptcraft_sdk.client.schemas import Agent, AgentDetail, AgentInstance, Environment

_LONGEST = 200
_INSTANCE_HEADS = ("ENVIRONMENT", "VERSION", "STATUS", "RESTARTS", "LAST ERROR")


def list_agents(terminal: Terminal, status: str | None, domain: str | None) -> None:
    with connect() as client:
        agents = client.send(api.agents(status=status, domain=domain))
    rows = [[agent.name, agent.domain, agent.status, agent.version, moment(agent.created_at)] for agent in agents]
    terminal.data(agents, table(("NAME", "DOMAIN", "STATUS", "VERSION", "CREATED"), rows), columns=Agent)
    if not agents:
        terminal.say("None here. Make one:  pc-hybrid agent create NAME --knowledge DIR")


def show(terminal: Terminal, name: str) -> None:
    with connect() as client:
        agent = client.send(api.agent(name))
    terminal.data(agent, _described(agent))


def logs(terminal: Terminal, name: str, lines: int | None, environment: Environment | None) -> None:
    with connect() as client:
        written = client.send(api.agent_logs(name, lines=lines, environment=environment))
    terminal.data(written, [safe(line) for text in written.lines for line in safe_lines(text)])


def delete(terminal: Terminal, name: str, *, confirmed: bool) -> None:
    if not confirmed and not terminal.confirm(f"Delete {name}, repository included?", "--yes"):
        raise Failure(f"{name} was not deleted", next_step="", exit_code=ExitCode.FAILED)
    with connect() as client:
        client.send(api.delete_agent(name))
    terminal.data({"name": name, "deleted": True}, [f"{name} is deleted"])


def _described(agent: AgentDetail) -> Iterator[str]:
    yield f"{safe(agent.name)} {safe(agent.version)} is {safe(agent.status)}"
    facts = {
        "display name": agent.display_name,
        "description": clipped(safe(agent.description), _LONGEST),
        "domain": agent.domain,
        "keywords": ", ".join(agent.keywords),
        "capabilities": "; ".join(agent.capabilities),
        "knowledge": _knowledge(agent),
        "accuracy": _accuracy(agent),
        "edited": "yes: it runs isolated or not at all" if agent.edited else "",
        "tools": ", ".join(agent.tools),
        "commit": (agent.commit or "")[:7],
        "created": moment(agent.created_at),
        "isolation": "; ".join(_isolation(held) for held in agent.isolation),
    }
    yield from table(("", ""), [(name, value) for name, value in facts.items() if value])
    if agent.instances:
        yield ""
        yield from table(_INSTANCE_HEADS, [_instance(one) for one in agent.instances])


def _accuracy(agent: AgentDetail) -> str:
    if agent.accuracy is None:
        return ""
    return f"{agent.accuracy:.0%} of the {plural(agent.questions, 'question')} that it holds"


def _knowledge(agent: AgentDetail) -> str:
    if agent.documents is None or agent.passages is None:
        return ""
    how = "" if agent.index is None else ", found by words and meaning" if agent.index.vectors else ", found by words"
    return f"{plural(agent.documents, 'document')}, {plural(agent.passages, 'passage')}{how}"


def _instance(instance: AgentInstance) -> tuple[str, ...]:
    restarts = str(instance.restarts)
    return instance.environment, instance.version, instance.status, restarts, instance.last_error or UNKNOWN


def _isolation(held: Mapping[str, Any]) -> str:
    """What keeps the agent in on one host, and by what each limit is held."""
    limits: Mapping[str, Any] = held.get("limits") or {}
    walls = [
        f"{wall} {_yes_or_no(held[wall])}" for wall in ("driver", "separation", "network", "seccomp") if wall in held
    ]
    return ", ".join([*walls, *(f"{limit.replace('_', ' ')} by {holder}" for limit, holder in limits.items())])


def _yes_or_no(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
