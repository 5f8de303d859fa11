"""What a client of the running agent sees."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from promptcraft_sdk.agent import Agent, Answer
from promptcraft_sdk.evaluation import QUESTIONS, HeldQuestions
from promptcraft_sdk.knowledge import document_files

T = TypeVar("T")


def over_mcp(socket: Path, use: Callable[[Client], Awaitable[T]]) -> T:
    async def connected() -> T:
        transport = httpx2.AsyncHTTPTransport(uds=str(socket))
        async with httpx2.AsyncClient(transport=transport, timeout=30) as http:
            async with Client(streamable_http_client("http://agent/mcp", http_client=http)) as client:
                return await use(client)

    return asyncio.run(connected())


def call(socket: Path, tool: str, **arguments: str) -> Answer:
    result = over_mcp(socket, lambda client: client.call_tool(tool, arguments))
    assert not result.is_error, result.content
    return Answer.model_validate(result.structured_content)


def test_health_names_the_agent_and_counts_its_documents(socket: Path, agent: Agent, root: Path) -> None:
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket))) as client:
        health = client.get("http://agent/health").json()

    assert (health["status"], health["name"]) == ("ok", agent.config.name)
    assert health["knowledge"]["documents"] == len(document_files(root / "knowledge" / "documents"))


def test_tools_are_ask_and_the_capabilities_in_their_own_words(socket: Path, agent: Agent) -> None:
    tools = over_mcp(socket, lambda client: client.list_tools()).tools

    assert {"ask": True, **agent.config.tools}.keys() <= {tool.name for tool in tools}
    described = {tool.name: tool.description for tool in tools if tool.name in agent.config.tools}
    assert described == agent.config.tools


def test_an_answer_cites_lines_that_hold_what_it_says(socket: Path, agent: Agent, root: Path) -> None:
    held = HeldQuestions.model_validate_json((root / QUESTIONS).read_bytes())
    question = next((one.question for one in held.questions if agent.ask(one.question).answered), None)
    if question is None:
        pytest.skip("no question of tests/questions.json is answered")

    answer = call(socket, "ask", query=question)

    assert answer.answered
    assert 1 <= len(answer.citations) <= 3
    for citation in answer.citations:
        document = (root / "knowledge" / "documents" / citation.file).read_text(encoding="utf-8-sig")
        lines = document.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        assert citation.text in "\n".join(lines[citation.start_line - 1 : citation.end_line])


def test_every_capability_can_be_called(socket: Path, agent: Agent) -> None:
    for tool, capability in agent.config.tools.items():
        answer = call(socket, tool, query=capability[:2_000])

        assert bool(answer.citations) == answer.answered
        assert bool(answer.topics) != answer.answered
