"""execution show: what was done for a question, as it was recorded."""

import json
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from promptcraft.gateway.tables import ModelCallRow
from promptcraft.kernel import clock
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.ids import new_id, time_of
from tests.conftest import Platform
from tests.orchestrator.conftest import Agents
from tests.people import Person

QUESTION = "When is the VAT return due?"
TAX = {"domain": "finance", "keywords": ("vat", "invoice"), "description": "Taxes of small companies."}


async def asked(person: Person) -> UUID:
    return UUID((await person.post("/api/v4/execute", {"query": QUESTION})).json()["data"]["execution_id"])


async def a_model_was_called(platform: Platform, org_id: UUID, execution_id: UUID) -> None:
    call_id = new_id()
    row = {
        **{"org_id": org_id, "id": call_id, "created_at": time_of(call_id), "agent": "tax_advisor"},
        **{"execution_id": execution_id, "model": "small", "provider": "ours", "status": "completed"},
        **{"streamed": False, "attempts": 1, "input_tokens": 1200, "output_tokens": 34, "cost": Decimal("0.0021")},
        **{"duration_ms": 420, "request_id": "test", "deadline": clock.now() + timedelta(seconds=9)},
    }
    async with unit_of_work(platform.db, platform_actor("test", org_id)) as session:
        session.add(ModelCallRow(**row, finished_at=clock.now()))


async def test_the_trace_is_a_tree_of_steps_passages_and_model_calls(cli, alice, platform, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    execution_id = await asked(alice)
    await a_model_was_called(platform, alice.org_id, execution_id)

    lines = (await cli("execution", "show", str(execution_id))).data.splitlines()
    told = json.loads((await cli("execution", "show", str(execution_id), "-o", "json")).data)

    assert lines[0].startswith("completed · ")
    assert f"? {QUESTION}" in lines
    branches = [line for line in lines if line.lstrip("│ ").startswith(("├─", "└─"))]
    assert branches[0].startswith("├─ route")
    assert branches[0].endswith((" ms", " s"))
    assert branches[1].startswith("│  └─ tax_advisor ")
    assert branches[2].startswith("└─ ask tax_advisor in development")
    assert branches[3].startswith("   ├─ model small at ours: 1,200 + 34 tokens, $0.0021")
    assert branches[3].endswith("420 ms")
    assert branches[4] == "   └─ passage [1] vat/returns.md:14-19  (3f2c9d1)"
    assert lines[-1] == f"About: {QUESTION}"
    assert told["model_calls"][0]["cost"] == 0.0021
    assert [step["name"] for step in told["steps"]] == ["route", "ask"]


async def test_another_organisations_execution_and_its_model_calls_are_not_there(
    cli, platform, stranger: Person, alice: Person, agents: Agents
):
    await agents.start("their_desk", org_id=stranger.org_id, **TAX)
    theirs = await asked(stranger)
    await a_model_was_called(platform, stranger.org_id, theirs)

    assert (await cli("execution", "show", str(theirs))).exit_code == 3
    answers = [await alice.get(f"/api/v4/executions/{one}/model-calls") for one in (theirs, new_id())]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "execution_not_found")}
    assert len((await stranger.get(f"/api/v4/executions/{theirs}/model-calls")).json()["data"]) == 1


async def test_a_beginning_of_the_id_is_enough(cli, alice, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    execution_id = await asked(alice)

    assert f"execution {execution_id}" in (await cli("execution", "show", str(execution_id)[:13])).data
