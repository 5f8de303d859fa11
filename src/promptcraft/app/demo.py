"""`make demo`: the platform's main job once, from nothing to an answer with citations, then everything stopped.

Runs what a person would run: `up` on a directory of its own, the CLI for the creation, the API for the rest.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptcraft.app.up.children import PROGRAM
from promptcraft.app.up.processes import spawn, stop
from promptcraft.settings.handover import handed_over
from promptcraft_sdk.client import Client, ClientError, api

AGENT = "promptcraft_guide"
QUESTION = "What happens when the supervisor is killed?"
_CHECKOUT = Path(__file__).parents[3]
_DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs")
_FACTS_SECONDS = 20.0
_STOP_SECONDS = 60.0


class DemoFailed(Exception):
    """The demo did not come to its end; the message says where."""


def main(url: str | None) -> int:
    """Run the demo; its last line on standard output is one JSON object.

    With the `url` of a running platform: only make the demo agent there, by the account given on standard input.
    """
    try:
        return _whole_demo() if url is None else _agent_at(url)
    except (DemoFailed, ClientError) as failure:
        print(f"Error: {failure}", file=sys.stderr)
        return 1


def _agent_at(url: str) -> int:
    with tempfile.TemporaryDirectory(prefix="promptcraft-demo-") as folder:
        make_agent(Path(folder), url, json.load(sys.stdin))
    return 0


def _whole_demo() -> int:
    with tempfile.TemporaryDirectory(prefix="promptcraft-demo-") as folder:
        place = Path(folder)
        with platform_in(place / "data") as platform, Client(platform["url"]) as client:
            administrator = platform["administrator"]
            client.sign_in(administrator["username"], administrator["password"])
            result = _main_job(place, platform["url"], administrator, client)
    print(json.dumps(result))
    return 0


def make_agent(place: Path, url: str, administrator: dict[str, str]) -> float:
    """Make the demo agent from this repository's documents by the CLI. Returns the seconds it took."""
    documents = place / "documents"
    stage_documents(documents)
    cli = Cli(place / "cli", url)
    cli.run(["login", "--api-url", url, "--username", administrator["username"], "--password-stdin"],
            given=administrator["password"])  # fmt: skip
    began = time.monotonic()
    cli.run(
        ["agent", "create", AGENT, "--no-interactive", "--domain", "platform", "--display-name", "PromptCraft guide",
         "--description", "Answers questions about PromptCraft-Hybrid from its own documentation",
         "--keywords", "promptcraft,platform,agent,audit,login,settings", "--knowledge", str(documents)],
    )  # fmt: skip
    return time.monotonic() - began


def stage_documents(target: Path) -> None:
    """Copy this repository's documents, each under its path from the repository's root."""
    sources = [path for name in _DOCUMENTS for path in _markdown(_CHECKOUT / name)]
    if not sources:
        raise DemoFailed("this repository's documents are not here: run the demo from a checkout")
    for source in sources:
        copy = target / source.relative_to(_CHECKOUT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def _markdown(path: Path) -> list[Path]:
    return sorted(path.rglob("*.md")) if path.is_dir() else [path] if path.exists() else []


class Cli:
    """pc-hybrid as a person would call it, with a configuration of its own."""

    def __init__(self, configuration: Path, url: str) -> None:
        configuration.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._environment = {"PCH_CONFIG_DIR": str(configuration), "PCH_API_URL": url, "PATH": "/usr/bin:/bin"}

    def run(self, arguments: list[str], given: str | None = None) -> None:
        print(f"\n$ pc-hybrid {' '.join(arguments)}", file=sys.stderr, flush=True)
        command = [sys.executable, "-P", "-m", "pc_hybrid", *arguments]
        done = subprocess.run(command, input=given, text=True, stdout=sys.stderr, env=self._environment, check=False)
        if done.returncode:
            raise DemoFailed(f"`pc-hybrid {arguments[0]}` ended with {done.returncode}")


@contextmanager
def platform_in(data: Path) -> Generator[dict[str, Any]]:
    """What `up` says of itself, on a free port; stopped in order at the end, also where this process is killed."""
    command = [*PROGRAM, "up", "--port", "0", "--data-dir", str(data), "-o", "json"]
    process = spawn(
        command,
        death_signal=signal.SIGTERM,
        output=subprocess.PIPE,
        errors=sys.stderr.fileno(),
        environment=handed_over(),
    )
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise DemoFailed("the platform did not start")
        yield json.loads(line)
    finally:
        stop(process, signal.SIGTERM, _STOP_SECONDS)


def _main_job(place: Path, url: str, administrator: dict[str, str], client: Client) -> dict[str, Any]:
    seconds = make_agent(place, url, administrator)
    _tell(f'\n$ pc-hybrid ask "{QUESTION}"')
    answer = client.send(api.execute(QUESTION))
    if not answer.answered or not answer.citations:
        raise DemoFailed(f"the agent did not answer: {answer.answer}")
    _tell(f"{answer.answer}\n")
    for number, citation in enumerate(answer.citations, start=1):
        _tell(f"[{number}] {citation.file}:{citation.lines}")
    _tell("\nWhat happened, as the audit log has it:")
    events = client.send(api.audit_events(limit=50))
    for event in reversed(events):
        _tell(f"  {event.timestamp:%H:%M:%S}  {event.action['operation']:<24} {event.outcome['status']}")
    insights = _insights(client)
    summary = insights.data.summary
    _tell(f"\nInsights: {summary.total_queries} query, {summary.avg_response_time_ms:.0f} ms on average\n")
    return {
        "agent": answer.agent,
        "create_seconds": round(seconds, 2),
        "question": QUESTION,
        "answer": answer.answer,
        "citations": [{"file": citation.file, "lines": citation.lines} for citation in answer.citations],
        "execution_id": str(answer.execution_id),
        "cost": float(answer.cost or 0),
        "audit_events": len(events),
        "total_queries": summary.total_queries,
    }


def _insights(client: Client) -> Any:
    """The first insights; an execution is counted a moment after it ended."""
    deadline = time.monotonic() + _FACTS_SECONDS
    while True:
        report = client.send(api.insights(time_range="7d"))
        if report.data.summary.total_queries or time.monotonic() > deadline:
            return report
        time.sleep(0.2)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
