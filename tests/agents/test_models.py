"""A generated agent in its isolation, which reaches a model by its socket and nothing else."""

import pytest

from tests.gateway.conftest import provider as provider
from tests.gateway.conftest import settings_given as settings_given
from tests.gateway.test_agents import says

QUESTION = "What is the surcharge for a late VAT return?"


@pytest.mark.usefixtures("host")
async def test_generated_agent_words_its_answer_by_its_organisations_model(create, alice, provider):
    await alice.client.put(
        "/api/v4/admin/models/policy", json={"agent_models": {"*": "gpt-4o"}}, headers={"If-Match": "*"}
    )
    made = await create(alice, deploy=True)
    assert made["status"] == "completed", made
    provider.will(says("The surcharge is ten percent [1]."))

    asked = {"query": QUESTION, "agent": "tax_advisor"}
    worded = (await alice.post("/api/v4/execute", asked)).json()["data"]
    await alice.client.put("/api/v4/admin/models/policy", json={}, headers={"If-Match": "*"})
    quoted = (await alice.post("/api/v4/execute", asked)).json()["data"]

    assert (worded["answer"], worded["tokens"]) == ("The surcharge is ten percent [1].", 1100)
    assert worded["citations"][0]["file"] == "vat/returns.md"
    assert "10 percent" in quoted["answer"]
    assert len(provider.asked) == 1
