"""How well agents fit queries: what is theirs reaches the threshold and comes first, what is nobody's does not."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from promptcraft.orchestrator.service.routing import ENOUGH, Weighed, routing_index
from promptcraft.registry import Server, ServerStatus, ToolContract


async def weighed(servers: Sequence[Server], query: str) -> list[Weighed]:
    return (await routing_index(servers)).weigh(query)


ASK = ToolContract(name="ask", input_schema={"properties": {"query": {"type": "string"}}})


def agent(name: str, **described: Any) -> Server:
    given = {"environment": "production", "version": "1", "endpoint": "/x", "tools": (ASK,)}
    fares = {"status": ServerStatus.RUNNING, "registered_at": datetime.now(UTC)}
    return Server.model_validate({"name": name} | given | fares | described)


AGENTS = [
    agent(
        "tax_advisor",
        domain="finance",
        description="Answers questions about taxes of small companies.",
        keywords=("vat", "invoice"),
    ),
    agent(
        "hr_assistant",
        domain="people",
        description="Holidays, sick leave, parental leave and salaries of our employees.",
        keywords=("holiday", "leave", "salary", "onboarding"),
    ),
    agent(
        "cluster_helper",
        domain="infrastructure",
        description="Runs and repairs Kubernetes clusters: pods, nodes, deployments and networking.",
        keywords=("kubernetes", "helm", "kubectl"),
    ),
    agent(
        "travel_desk",
        domain="travel",
        description="Books flights and hotels, and explains the travel policy and its per diem.",
        keywords=("flight", "hotel", "trip"),
    ),
    agent(
        "legal_counsel",
        domain="law",
        description="Reviews contracts and explains licences.",
        keywords=("contract", "nda", "gdpr"),
        knowledge_terms=("Supplier agreements", "signature rules", "liability caps", "retention", "processor"),
    ),
]
LONG = (
    "My company in Brno sells software to a German customer. Do we have to charge VAT on the invoice, "
    "and where do we report it afterwards?"
)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("When is the VAT return due?", "tax_advisor"),
        ("VAT", "tax_advisor"),
        (LONG, "tax_advisor"),
        (LONG + " Thanks! " + "We would be glad to hear from you about our plans for the year. " * 100, "tax_advisor"),
        ("How do I pay taxes on dividends?", "tax_advisor"),
        ("How many days of holiday do I get?", "hr_assistant"),
        ("Why is my pod in CrashLoopBackOff?", "cluster_helper"),
        ("helm rollback", "cluster_helper"),
        ("May I book a hotel above the limit?", "travel_desk"),
        ("what is the per diem in Japan", "travel_desk"),
        ("Who signs an NDA with a supplier?", "legal_counsel"),
        ("Which liability caps are acceptable?", "legal_counsel"),
        ("invoices", "tax_advisor"),
        ("TAX_ADVISOR", "tax_advisor"),
    ],
)
async def test_a_query_comes_first_with_the_agent_that_it_is_about(query: str, name: str):
    best, second, *_ = await weighed(AGENTS, query)

    assert (best.server.name, best.score >= ENOUGH) == (name, True)
    assert second.score < 0.75 * best.score


@pytest.mark.parametrize(
    "query",
    [
        "What is the capital of France?",
        "Tell me a joke",
        "How do I cook goulash?",
        "who won the world cup",
        "what time is it",
        "explain quantum entanglement to me",
        "hello",
        "???",
        "🧾",
        "the and of",
        "IT",
    ],
)
async def test_a_query_that_is_nobodys_stays_below_the_threshold(query: str):
    assert all(one.score < ENOUGH for one in await weighed(AGENTS, query))
    assert all(one.score < ENOUGH for one in await weighed(AGENTS[:1], query))


async def test_a_keyword_weighs_more_than_the_same_word_in_a_description_and_that_more_than_in_knowledge():
    by_keyword = agent("one_agent", keywords=("merkle",), description="About trees.")
    by_description = agent("two_agent", description="About merkle trees.")
    by_knowledge = agent("three_agent", description="About trees.", knowledge_terms=("merkle",))

    found = await weighed([by_knowledge, by_description, by_keyword], "merkle proofs")

    assert [one.server.name for one in found] == ["one_agent", "two_agent", "three_agent"]
    assert found[2].score > 0


async def test_what_knowledge_is_first_about_weighs_more_than_what_it_says_in_passing():
    words = tuple(f"word{number}" for number in range(2_000))
    about = agent("one_agent", knowledge_terms=("Merkle trees", *words))
    in_passing = agent("two_agent", knowledge_terms=(*words, "merkle", "trees"))

    first, second = await weighed([in_passing, about], "What are Merkle trees?")

    assert (first.server.name, second.server.name) == ("one_agent", "two_agent")
    assert first.score > ENOUGH > second.score > 0


async def test_an_agents_copies_in_other_environments_change_no_score():
    copies = [AGENTS[0].model_copy(update={"environment": one}) for one in ("staging", "development")]

    alone = (await weighed(AGENTS, LONG))[0]
    among_copies = await weighed([*AGENTS, *copies], LONG)

    assert [one.score for one in among_copies[:3]] == pytest.approx([alone.score] * 3, rel=0.01)


async def test_a_registry_that_changed_a_little_is_weighed_as_if_read_anew():
    before = await routing_index(AGENTS[:3])
    again = AGENTS[0].model_copy(update={"keywords": ("cartoons",), "registered_at": datetime.now(UTC)})

    now = await routing_index([again, *AGENTS[2:]], before)

    assert now.weigh(LONG) == await weighed([again, *AGENTS[2:]], LONG)
    assert now.weigh("cartoons")[0].server is again


async def test_a_server_that_cannot_be_asked_is_not_weighed():
    mute = AGENTS[0].model_copy(update={"tools": ()})

    assert await weighed([mute], "VAT") == []
    assert await weighed([], "VAT") == []


@pytest.mark.parametrize("query", ["x" * 10_000, "vat " * 2_500, "\u202e" * 5_000, "税" * 10_000, "a_b" * 3_333])
async def test_scores_stay_between_0_and_1_whatever_is_asked(query: str):
    assert all(0 <= one.score < 1 for one in await weighed(AGENTS, query))
