"""Questions, answers, and what people think of them."""

import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import clipped, safe, safe_lines, table
from pc_hybrid.work.figures import count, dollars, milliseconds, moment, short
from pc_hybrid.work.progress import aligned
from promptcraft_sdk.client import Client, Event, api
from promptcraft_sdk.client.schemas import Citation, Environment, Execution, ExecutionEntry, ExecutionPart
from promptcraft_sdk.client.streams import END

_MOST_LISTED = 200


def ask(
    terminal: Terminal,
    query: str,
    agent: str | None,
    environment: Environment | None,
    session: UUID | None,
    time_limit: float | None,
) -> None:
    question = sys.stdin.read().strip() if query == "-" else query
    wanted: dict[str, Any] = {
        "agent": agent, "environment": environment, "session_id": session, "time_limit_seconds": time_limit,
    }  # fmt: skip
    with connect() as client:
        if terminal.shows_words:
            answer = _as_it_comes(terminal, client.stream(api.execute_stream(question, **wanted)))
        else:
            answer = client.send(api.execute(question, **wanted))
            terminal.data(answer, _answer_lines(answer))
    _talk_about(terminal, answer)


def cancel_execution(terminal: Terminal, identifier: str) -> None:
    with connect() as client:
        execution = client.send(api.cancel_execution(resolved(client, identifier)))
    terminal.data(execution, [f"Cancelled: execution {execution.execution_id}"])


def watch_execution(terminal: Terminal, identifier: str) -> None:
    with connect() as client:
        shown = 0
        for event in client.stream(api.execution_events(resolved(client, identifier))):
            execution = event.data
            for step in execution.steps[shown:]:
                who = f" {safe(step.agent)}" if step.agent else ""
                terminal.say(aligned(f"{safe(step.name)}{who}", safe(step.status), step.seconds))
            shown = len(execution.steps)
            if event.name == END:
                terminal.data(execution, _answer_lines(execution))
                _talk_about(terminal, execution)


def _as_it_comes(terminal: Terminal, events: Iterator[Event[Execution | ExecutionPart]]) -> Execution:
    """Prints an answer's words as they come, and the whole answer where those were not all of it."""
    said = ""
    for event in events:
        if isinstance(event.data, Execution):
            answer = event.data
            _finish(terminal, said, answer)
            return answer
        if event.name == "delta":
            terminal.words(event.data.text)
            said += event.data.text
        elif event.name in ("agent", "withdrawn") and said:
            terminal.words("\n")
            terminal.say("That does not count; here is what does:")
            said = ""
    raise AssertionError("a stream ends with its end, or raises")


def _finish(terminal: Terminal, said: str, answer: Execution) -> None:
    lines = _answer_lines(answer)
    if said:
        terminal.words("\n")
    if said and said == answer.answer:
        lines = lines[len(safe_lines(said)) :]
    terminal.data(answer, lines)


def feedback(terminal: Terminal, identifier: str, rating: int, comment: str) -> None:
    with connect() as client:
        execution_id = resolved(client, identifier)
        given = client.send(api.give_feedback(execution_id, rating, comment))
    terminal.data(given, [f"Rated {given.rating} of 5: execution {given.execution_id}"])


def list_executions(terminal: Terminal, limit: int | None) -> None:
    with connect() as client:
        executions = client.send(api.executions(limit=limit))
    rows = [
        [
            short(entry.execution_id),
            moment(entry.created_at),
            entry.status if entry.answered or entry.status != "completed" else "not known",
            entry.agent or "-",
            milliseconds(entry.response_time_ms),
            count(entry.tokens),
            dollars(entry.cost),
            clipped(safe(entry.query or "-"), 50),
        ]
        for entry in executions
    ]
    heads = ("ID", "ASKED", "STATUS", "AGENT", "TIME", "TOKENS", "COST", "QUESTION")
    terminal.data(executions, table(heads, rows, right=("TIME", "TOKENS", "COST")), columns=ExecutionEntry)
    if not executions:
        terminal.say('Nothing was asked yet. Ask:  pc-hybrid ask "..."')


def resolved(client: Client, identifier: str) -> UUID:
    try:
        return UUID(identifier)
    except ValueError:
        beginning = identifier.lower()
    ids = [entry.execution_id for entry in client.send(api.executions(limit=_MOST_LISTED))]
    found = [execution_id for execution_id in ids if beginning and str(execution_id).startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(
            f'none of your latest {len(ids)} executions begins with "{identifier}"',
            exit_code=ExitCode.NOT_FOUND,
            next_step="pc-hybrid execution list",
        )
    raise Failure(
        f'{len(found)} executions begin with "{identifier}"',
        exit_code=ExitCode.USAGE,
        why=[(str(execution_id), "") for execution_id in found[:5]],
        next_step="Give more of the id.",
    )


def _answer_lines(answer: Execution) -> list[str]:
    lines = safe_lines(answer.answer or "There is no answer.")
    if answer.citations:
        lines.append("")
    return lines + [f"[{number}] {cited(citation)}" for number, citation in enumerate(answer.citations, start=1)]


def cited(citation: Citation) -> str:
    first, _, last = citation.lines.partition("-")
    where = f"{safe(citation.file)}:{safe(first if first == last else citation.lines)}"
    return f"{where}  ({safe(citation.commit[:7])})" if citation.commit else where


def _talk_about(terminal: Terminal, answer: Execution) -> None:
    facts = [
        safe(answer.agent or "no agent"),
        milliseconds(answer.response_time_ms),
        dollars(answer.cost),
        f"execution {answer.execution_id}",
    ]
    terminal.say(terminal.paint(" · ".join(facts), "dim", sys.stderr))
    if answer.answered:
        terminal.say(f"Rate it:    pc-hybrid feedback {short(answer.execution_id)} 5")
        terminal.say(f'Follow up:  pc-hybrid ask --session {answer.session_id} "..."')
    elif answer.candidates and answer.agent is None:
        weighed = ", ".join(f"{safe(one.agent)} ({one.score:.2f})" for one in answer.candidates)
        terminal.say(f"Weighed:    {weighed}")
        terminal.say(f'Ask one:    pc-hybrid ask --agent {safe(answer.candidates[0].agent)} "..."')
