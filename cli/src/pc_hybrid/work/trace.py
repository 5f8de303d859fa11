"""One execution as a tree: what was done, on which passages, with which models, and what it took."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pc_hybrid.connection import connect
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import clipped, padded, safe, safe_lines, width
from pc_hybrid.work.figures import count, dollars, milliseconds, moment
from pc_hybrid.work.questions import cited, resolved
from promptcraft_sdk.client import api
from promptcraft_sdk.client.schemas import Execution, ModelCall, Turn

_LONGEST = 72


@dataclass(slots=True)
class _Node:
    what: str
    took: str = ""
    inside: "list[_Node]" = field(default_factory=list["_Node"])


def show(terminal: Terminal, identifier: str) -> None:
    with connect() as client:
        execution_id = resolved(client, identifier)
        execution = client.send(api.execution(execution_id))
        calls = client.send(api.model_calls(execution_id))
    whole = execution.model_dump(mode="json", exclude_unset=True)
    whole["model_calls"] = [call.model_dump(mode="json", exclude_unset=True) for call in calls]
    terminal.data(whole, _lines(terminal, execution, calls))


def _lines(terminal: Terminal, execution: Execution, calls: Sequence[ModelCall]) -> Iterator[str]:
    took = milliseconds(execution.response_time_ms)
    facts = [took, dollars(execution.cost), f"{count(execution.tokens)} tokens", f"{moment(execution.created_at)} UTC"]
    yield f"{terminal.paint(safe(execution.status), 'bold')} · {' · '.join(facts)}"
    yield terminal.paint(f"execution {execution.execution_id}  session {execution.session_id}", "dim")
    if execution.trace_id:
        yield terminal.paint(f"trace {safe(execution.trace_id)}", "dim")
    yield ""
    yield f"? {clipped(safe(execution.query or 'The question was purged.'), _LONGEST)}"
    yield from _drawn(_tree(execution, list(calls)))
    if execution.error:
        yield f"✗ {safe(execution.error)}"
    if execution.answer:
        yield ""
        yield from safe_lines(execution.answer)


def _tree(execution: Execution, calls: list[ModelCall]) -> list[_Node]:
    """Zen's steps in their order. The passages are those of the answer, so they stand at the turn that gave it."""
    nodes: list[_Node] = []
    answered = next((turn for turn in reversed(execution.steps) if turn.agent == execution.agent), None)
    for turn in execution.steps:
        node = _Node(_turn(turn), _seconds(turn.seconds))
        if turn.name == "route":
            node.inside += [_Node(f"{safe(one.agent)} {one.score:.2f}") for one in execution.candidates]
        else:
            node.inside += [_call(call) for call in calls if call.agent == turn.agent]
            calls = [call for call in calls if call.agent != turn.agent]
        if turn is answered:
            passages = enumerate(execution.citations, start=1)
            node.inside += [_Node(f"passage [{number}] {cited(citation)}") for number, citation in passages]
        nodes.append(node)
    return nodes + [_call(call) for call in calls]


def _turn(turn: Turn) -> str:
    parts = [turn.name, turn.agent or "", f"in {turn.environment}" if turn.environment else "", turn.detail]
    status = "" if turn.status == "completed" else f"({turn.status})"
    return clipped(safe(" ".join(part for part in (*parts, status) if part)), _LONGEST)


def _call(call: ModelCall) -> _Node:
    tokens = f"{count(call.input_tokens)} + {count(call.output_tokens)} tokens"
    outcome = "" if call.status == "completed" else f" ({call.error_code or call.status})"
    at = f" at {call.provider}" if call.provider else ""
    return _Node(
        safe(f"model {call.model}{at}: {tokens}, {dollars(call.cost)}{outcome}"), milliseconds(call.duration_ms)
    )


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else milliseconds(seconds * 1000)


def _drawn(nodes: Sequence[_Node]) -> Iterator[str]:
    """The tree with its branches, its times in one column."""
    lines = list(_branches(nodes, ""))
    columns = max((width(line) for line, _ in lines), default=0)
    for line, took in lines:
        yield f"{padded(line, columns)}  {took:>8}".rstrip()


def _branches(nodes: Sequence[_Node], before: str) -> Iterator[tuple[str, str]]:
    for node in nodes:
        last = node is nodes[-1]
        yield f"{before}{'└─' if last else '├─'} {node.what}", node.took
        yield from _branches(node.inside, before + ("   " if last else "│  "))
