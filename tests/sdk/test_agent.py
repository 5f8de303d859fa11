"""An agent as a client meets it: its tools over MCP in both eras, its health, whom it refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette

from promptcraft_sdk.agent import Agent, Answer
from promptcraft_sdk.agent.repository import commit_of
from promptcraft_sdk.configuration import AgentConfig

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = AgentConfig(
    name="tax_advisor",
    display_name="Tax advisor",
    description="Answers questions about taxes.",
    domain="finance",
    capabilities=("Find when a VAT return is due", "Explain payroll and wage tax"),
)


@pytest.fixture
def agent(handbook) -> Agent:
    return Agent(CONFIG, handbook, COMMIT)


# Entered in the test itself: anyio's scopes must be left by the task that entered them, which no fixture promises.
@asynccontextmanager
async def app_of(agent: Agent) -> AsyncIterator[Starlette]:
    application = agent.app()
    async with application.router.lifespan_context(application):
        yield application


@asynccontextmanager
async def client_of(agent: Agent, mode: str = "auto") -> AsyncIterator[Client]:
    async with (
        app_of(agent) as application,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=application)) as http,
    ):
        async with Client(streamable_http_client("http://agent/mcp", http_client=http), mode=mode) as client:
            yield client


async def ask(agent: Agent, tool: str, query: str) -> Answer:
    async with client_of(agent) as client:
        return Answer.model_validate((await client.call_tool(tool, {"query": query})).structured_content)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_it_offers_ask_and_a_tool_for_each_capability_in_both_eras(agent: Agent, mode: str):
    async with client_of(agent, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert list(tools) == ["ask", "find_when_a_vat_return_is_due", "explain_payroll_and_wage_tax"]
    assert tools["explain_payroll_and_wage_tax"].description == "Explain payroll and wage tax"
    for tool in tools.values():
        assert tool.output_schema is not None
        assert set(tool.output_schema["required"]) == {"answered", "answer", "citations", "confidence", "topics"}


async def test_an_answer_cites_file_lines_and_commit(agent: Agent):
    answer = await ask(agent, "ask", "What is the surcharge for a late return?")

    assert answer.answered
    best = answer.citations[0]
    assert (best.file, best.lines, best.commit) == ("vat/returns.md", "15-16", COMMIT)
    assert best.headings == ["VAT returns", "Filing late"]
    assert "10 percent" in best.text


async def test_what_it_does_not_know_is_declined_and_its_subjects_named(agent: Agent):
    answer = await ask(agent, "ask", "Who won the football world cup?")

    assert not answer.answered
    assert answer.citations == []
    assert "VAT returns" in answer.topics
    assert "I do not know" in answer.answer


async def test_two_capabilities_answer_one_question_differently(agent: Agent):
    question = "On which day of the month?"

    vat = await ask(agent, "find_when_a_vat_return_is_due", question)
    payroll = await ask(agent, "explain_payroll_and_wage_tax", question)

    assert vat.citations[0].file == "vat/returns.md"
    assert payroll.citations[0].file == "payroll/deadlines.md"


@pytest.mark.parametrize(
    "arguments", [{}, {"query": ""}, {"query": 5}, {"query": "x" * 20_001}, {"query": "a", "limit": 9}]
)
async def test_arguments_that_do_not_fit_are_refused_as_an_error_of_the_tool(agent: Agent, arguments):
    async with client_of(agent) as client:
        result = await client.call_tool("ask", arguments)

    assert result.is_error


async def test_an_authors_own_tool_is_offered_beside_the_others(agent: Agent):
    @agent.tool()
    def double(number: int) -> int:
        """Twice the number."""
        return 2 * number

    async with client_of(agent) as client:
        result = await client.call_tool("double", {"number": 21})

    assert result.structured_content == {"result": 42}


async def test_health_says_who_it_is_and_what_it_holds(agent: Agent):
    async with app_of(agent) as app:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://agent") as http:
            health = await http.get("/health")

    assert health.json() == {
        "status": "ok",
        "name": "tax_advisor",
        "version": "1",
        "commit": COMMIT,
        "knowledge": {
            "documents": 5,
            "passages": 12,
            "retrieval": "bm25",
            "reason": "it has no repository to take vectors from",
            "enough": 0.45,
        },
    }


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"host": "agent", "origin": "http://evil.example"}])
async def test_a_web_page_that_resolves_to_this_machine_is_refused(agent: Agent, headers):
    async with app_of(agent) as app:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://agent") as http:
            answer = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)

    assert answer.status_code in (403, 421)


@pytest.mark.parametrize(
    ("files", "commit"),
    [
        ({"HEAD": COMMIT}, COMMIT),
        ({"HEAD": "ref: refs/heads/main", "refs/heads/main": COMMIT}, COMMIT),
        ({"HEAD": "ref: refs/heads/main", "packed-refs": f"# pack-refs\n{COMMIT} refs/heads/main\n"}, COMMIT),
        ({"HEAD": "ref: refs/heads/main"}, None),
        ({}, None),
    ],
)
def test_the_commit_is_read_as_git_keeps_it(tmp_path: Path, files, commit):
    for name, text in files.items():
        path = tmp_path / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")

    assert commit_of(tmp_path) == commit
