"""Agents that exist."""

from typing import cast

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import safe, safe_lines, table
from pc_hybrid.work.figures import moment
from promptcraft_sdk.client import api


def list_agents(terminal: Terminal, status: str | None, domain: str | None) -> None:
    with connect() as client:
        agents = client.send(api.agents(status=status, domain=domain))
    rows = [[agent.name, agent.domain, agent.status, agent.version, moment(agent.created_at)] for agent in agents]
    terminal.data(agents, table(("NAME", "DOMAIN", "STATUS", "VERSION", "CREATED"), rows))
    if not agents:
        terminal.say("None here. Make one:  pc-hybrid agent create NAME --knowledge DIR")


def show(terminal: Terminal, name: str) -> None:
    with connect() as client:
        agent = client.send(api.agent(name))
    terminal.data(agent, table(("", ""), _described(agent.model_dump(mode="json", exclude_unset=True))))


def logs(terminal: Terminal, name: str, lines: int | None) -> None:
    with connect() as client:
        written = client.send(api.agent_logs(name, lines=lines))
    terminal.data(written, [safe(line) for text in written.lines for line in safe_lines(text)])


def delete(terminal: Terminal, name: str, *, confirmed: bool) -> None:
    if not confirmed and not terminal.confirm(f"Delete {name}, repository included?", "--yes"):
        raise Failure(f"{name} was not deleted", next_step="", exit_code=ExitCode.FAILED)
    with connect() as client:
        client.send(api.delete_agent(name))
    terminal.data({"name": name, "deleted": True}, [f"{name} is deleted"])


def _described(fields: dict[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Every field that the platform tells, nested ones by their path."""
    rows: list[tuple[str, str]] = []
    for key, value in fields.items():
        if isinstance(value, dict):
            rows += _described(cast("dict[str, object]", value), f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", _shown(value)))
    return rows


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in cast("list[object]", value)) or "-"
    return "-" if value is None or value == "" else str(value)
