"""What a person sees of long work: live where it can be followed, asked for now and then where it cannot."""

import asyncio
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.orchestrator.conftest import Agents, knows
from tests.orchestrator.test_cancelling import Slow
from tests.sdk_client.troubled_server import Answer, data, problem, raw

ID = "01a20a27-cbcf-7001-a387-352ed73e4f00"
STATUS = f"GET /api/v4/admin/agents/creation/{ID}/status"
EVENTS = f"GET /api/v4/admin/agents/creation/{ID}/events"
AGENT = {"name": "tax", "domain": "finance", "status": "running", "version": "1", "created_at": "2026-11-23T00:00:00Z"}


def progress(status: str, **steps: str) -> dict[str, Any]:
    told = [{"name": name, "status": state, "seconds": 0.1, "error": None} for name, state in steps.items()]
    return {
        "agent_name": "tax", "status": status, "phase": "render", "progress_percentage": 50, "steps": told,
        "warnings": [], "error": None, "error_code": None, "next_step": None,
    }  # fmt: skip


BEGUN, DONE = progress("running", validate="completed"), progress("completed", validate="completed", render="completed")


def event(identifier: int, name: str, state: dict[str, Any]) -> bytes:
    body = json.dumps({"status": "success", "data": state})
    return f"id: {identifier}\nevent: {name}\ndata: {body}\n\n".encode()


def stream(*events: bytes, whole: bool = True) -> Answer:
    """These events, and the end of the stream or a connection that breaks."""
    body = b"".join(events)
    return raw(body, content_type="text/event-stream") if whole else _broken(body)


def _broken(body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", str(len(body) + 100))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


@pytest.fixture
def watched(signed_in: Any) -> Any:
    signed_in.on(STATUS, data(BEGUN), data(DONE))
    signed_in.on("GET /api/v4/admin/agents/tax", data(AGENT))
    return signed_in


def test_a_creation_is_followed_live(run, watched):
    watched.on(EVENTS, stream(event(3, "progress", BEGUN), b": still here\n\n", event(9, "end", DONE)))

    ended = run("agent", "watch", ID)

    assert ended.exit_code == 0, ended.talk
    assert ended.talk.index("✓ validate") < ended.talk.index("✓ render")
    assert "tax 1 is running" in ended.data
    assert watched.paths().count(STATUS) == 1


def test_a_stream_that_breaks_is_taken_up_after_its_last_event(run, watched):
    asked: list[str | None] = []

    def second(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Last-Event-ID"])
        stream(event(9, "end", DONE))(handler)

    watched.on(EVENTS, stream(event(3, "progress", BEGUN), whole=False), second)

    assert run("agent", "watch", ID).exit_code == 0
    assert asked == ["3"]


@pytest.mark.parametrize(
    "refusal",
    [problem(429, code="too_many_streams"), problem(404, code="not_found"), data({})],
    ids=["too many", "an older platform", "no stream"],
)
def test_where_nothing_can_be_followed_it_is_asked_for(run, watched, refusal):
    watched.on(EVENTS, refusal)

    ended = run("agent", "watch", ID)

    assert ended.exit_code == 0, ended.talk
    assert "✓ render" in ended.talk
    assert watched.paths().count(STATUS) >= 2


def test_a_cancelled_creation_is_followed_until_nothing_is_left(run, watched):
    watched.on(f"POST /api/v4/admin/agents/creation/{ID}/cancel", data(BEGUN, 202))
    watched.on(EVENTS, stream(event(12, "end", progress("cancelled", validate="undone", render="cancelled"))))

    ended = run("agent", "creation", "cancel", ID)

    assert ended.exit_code == 0, ended.talk
    assert ended.data == "The creation of tax was cancelled; nothing of it is left\n"
    assert "validate      undone" in ended.talk


async def test_an_execution_is_cancelled_and_its_end_followed(cli, alice, agents: Agents):
    slow = Slow()
    await agents.start("slow", slow)
    asking = asyncio.create_task(alice.post("/api/v4/execute", {"query": "When?", "agent": "slow"}))
    await slow.asked.wait()
    [entry] = (await alice.get("/api/v4/executions", limit=1)).json()["data"]

    cancelled = await cli("execution", "cancel", entry["execution_id"][:23])
    again = json.loads((await cli("execution", "cancel", entry["execution_id"], "-o", "json")).data)
    watched = await cli("execution", "watch", entry["execution_id"])

    assert (await asking).status_code == 409
    assert (cancelled.exit_code, cancelled.data) == (0, f"Cancelled: execution {entry['execution_id']}\n")
    assert again["status"] == "cancelled"
    assert watched.exit_code == 0
    assert "route" in watched.talk


async def test_an_answer_is_shown_at_a_terminal_as_it_comes(cli, at_terminal, address, agents: Agents):
    await agents.start("tax_advisor", knows)
    key = json.loads((await cli("api-key", "create", "terminal", "-o", "json")).data)["key"]
    using = {"PCH_API_URL": address, "PCH_TOKEN": key}

    ended = await asyncio.to_thread(at_terminal, "ask", "When is it due?", "--agent", "tax_advisor", **using)

    assert ended.exit_code == 0, ended.talk
    assert ended.talk.count("About: When is it due?") == 1
    assert "[1] vat/returns.md:14-19  (3f2c9d1)" in ended.talk
