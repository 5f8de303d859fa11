"""Zen and an agent of the SDK together: real knowledge, real answers, real refusals."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from promptcraft_sdk.agent import Agent as SdkAgent
from promptcraft_sdk.configuration import AgentConfig
from promptcraft_sdk.knowledge import ingest, load_index
from tests.mcp_servers import serving
from tests.orchestrator.conftest import Agents
from tests.orchestrator.test_execute import ask
from tests.people import Person

RETURNS = """# VAT returns

## When they are due

The return is due on the 10th day after the end of the quarter. A company whose turnover exceeds two million
files monthly instead.

## Late returns

A late return costs a penalty of five percent of the tax that is owed, at least fifty euros.
"""
INVOICES = """# Invoices

An invoice to a customer in another member state names both VAT numbers and says that the reverse charge applies.
"""


@pytest.fixture
async def tax_advisor(agents: Agents, tmp_path: Path) -> AsyncIterator[None]:
    documents = tmp_path / "documents" / "vat"
    documents.mkdir(parents=True)
    (documents / "returns.md").write_text(RETURNS)
    (documents / "invoices.md").write_text(INVOICES)
    ingest(tmp_path / "documents", tmp_path / "index")
    config = AgentConfig(name="tax_advisor", display_name="Tax advisor", domain="finance", keywords=("vat", "invoice"))
    agent = SdkAgent(config, load_index(tmp_path / "index"), commit="3f2c9d1" + "0" * 33)
    async with serving(agent.app(), agents.directory / "sdk.sock") as endpoint:
        await agents.register("tax_advisor", endpoint, domain="finance", keywords=("vat", "invoice"))
        yield


async def test_an_answer_names_the_lines_that_hold_it(alice: Person, tax_advisor: None):
    said = await ask(alice, "When is the VAT return due?")

    assert "10th day after the end of the quarter" in said["answer"]
    cited = said["citations"][0]
    assert (cited["file"], cited["commit"][:7]) == ("vat/returns.md", "3f2c9d1")
    lines = RETURNS.splitlines()[cited["start_line"] - 1 : cited["end_line"]]
    assert "10th day" in "\n".join(lines)
    assert cited["lines"] == f"{cited['start_line']}-{cited['end_line']}"


async def test_what_the_knowledge_does_not_hold_is_declined(alice: Person, tax_advisor: None):
    said = await ask(alice, "Which VAT rate applies to goldfish sold at fairs in Liechtenstein?")

    assert (said["answered"], said["citations"], said["agent"]) == (False, [], "tax_advisor")


async def test_a_follow_up_that_says_too_little_alone_is_understood_by_what_came_before(
    alice: Person, tax_advisor: None
):
    alone = await ask(alice, "And the penalty?", agent="tax_advisor")
    first = await ask(alice, "What does a late VAT return cost?")

    said = await ask(alice, "And the penalty?", session_id=first["session_id"])

    assert said["answered"] or not alone["answered"]
    assert "five percent" in said["answer"]
