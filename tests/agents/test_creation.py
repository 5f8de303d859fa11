"""From a spec and documents to an agent that answers: the whole way, in isolation, over HTTP."""

import asyncio
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from promptcraft.kernel.audit.catalogue.agents import (
    AGENT_BUILT,
    AGENT_DELETED,
    AGENT_DEPLOYED,
    CREATION_FAILED,
    CREATION_REQUESTED,
    DEPLOYMENT_REQUESTED,
    INDEX_GROWN,
    KNOWLEDGE_UPLOADED,
)
from promptcraft.kernel.db import unit_of_work
from promptcraft.registry import SocketUpstream
from promptcraft.runtime import instances
from tests.agents.conftest import SPEC, left_behind, packed, uploaded, work

AGENTS = "/api/v4/admin/agents"
BUILD = ["validate", "render", "ingest", "tests", "verify", "repository"]
DEPLOY = ["start", "healthy", "contract", "register", "route"]


@pytest.fixture
async def gone(platform, alice, host):
    """Delete an agent, and wait until nothing of it is left."""

    async def delete(name: str) -> None:
        assert (await alice.delete(f"{AGENTS}/{name}")).status_code == 204
        async with asyncio.timeout(60):
            while await left_behind(platform, alice):
                await work(platform)
                await asyncio.sleep(0.1)

    return delete


def git(*arguments: str, cwd: Path | None = None) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, text=True, capture_output=True, check=True).stdout.strip()


async def test_an_agent_is_built_deployed_asked_cloned_and_deleted(alice, platform, host, create, gone, tmp_path):
    progress = await create(alice)

    assert (progress["status"], progress["phase"], progress["progress_percentage"]) == ("completed", "built", 100)
    assert [(step["name"], step["status"]) for step in progress["steps"]] == [(name, "completed") for name in BUILD]
    assert all(step["seconds"] is not None for step in progress["steps"])
    listed = (await alice.get(AGENTS)).json()["data"]
    assert [(agent["name"], agent["status"], agent["version"]) for agent in listed] == [("tax_advisor", "built", "1")]

    accepted = await alice.post(f"{AGENTS}/tax_advisor/deploy", {"agent_name": "tax_advisor", "environment": "staging"})
    assert accepted.status_code == 202
    assert accepted.headers["location"] == accepted.json()["data"]["progress_endpoint"]
    await work(platform)
    progress = (await alice.get(accepted.headers["location"])).json()["data"]
    assert (progress["status"], progress["phase"]) == ("completed", "deployed"), progress
    assert [step["name"] for step in progress["steps"]] == DEPLOY

    shown = (await alice.get(f"{AGENTS}/tax_advisor")).json()["data"]
    assert (shown["status"], shown["instances"][0]["environment"]) == ("running", "staging")
    assert shown["tools"] == ["ask", "find_when_a_vat_return_is_due", "explain_payroll_and_wage_tax"]
    assert (shown["documents"], shown["isolation"] != []) == (4, True)

    asked = await alice.post("/api/v4/execute", {"query": "When is the quarterly VAT return due?"})
    assert asked.status_code == 200, asked.text
    answer = asked.json()["data"]
    assert (answer["answered"], answer["agent"]) == (True, "tax_advisor")
    assert answer["citations"][0]["file"] == "vat/returns.md"
    assert answer["citations"][0]["commit"] == shown["commit"]
    assert (await alice.get(f"{AGENTS}/tax_advisor/logs")).status_code == 200

    bundle = await alice.get(f"{AGENTS}/tax_advisor/repository")
    (tmp_path / "agent.bundle").write_bytes(bundle.content)
    git("clone", "--quiet", str(tmp_path / "agent.bundle"), str(tmp_path / "clone"))
    assert git("rev-parse", "HEAD~1", "HEAD", cwd=tmp_path / "clone").split() == [
        shown["commit"],
        shown["index"]["commit"],
    ]
    assert git("branch", "--show-current", cwd=tmp_path / "clone") == "main"
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "clone") == "2"
    assert git("log", "-1", "--format=%an <%ae>", cwd=tmp_path / "clone") == platform.process.settings.agents.git_author

    await gone("tax_advisor")
    assert (await alice.get(f"{AGENTS}/tax_advisor")).status_code == 404
    assert [event for event in await alice.events() if event < 4000] == [
        KNOWLEDGE_UPLOADED.id,
        CREATION_REQUESTED.id,
        AGENT_BUILT.id,
        INDEX_GROWN.id,
        DEPLOYMENT_REQUESTED.id,
        AGENT_DEPLOYED.id,
        AGENT_DELETED.id,
    ]


async def test_hostile_texts_make_an_agent_that_shows_them_as_text(alice, host, create, gone):
    text = 'a "quote" \' \\ \n{{ 7*7 }} ${HOME} `touch pwned` [tool.x]\nFROM evil\n""" import os 🎂 \u202eright'

    progress = await create(
        alice, deploy=True, name="hostile_one", display_name=text, description=text, keywords=[text],
        domain=text[:100], capabilities=[f"Find {text}"],
    )  # fmt: skip

    assert progress["status"] == "completed", progress
    shown = (await alice.get(f"{AGENTS}/hostile_one")).json()["data"]
    assert (shown["display_name"], shown["description"], shown["keywords"]) == (text, text, [text])
    assert shown["capabilities"] == [f"Find {text}"]
    await gone("hostile_one")


async def test_the_agent_highest_in_environment_is_the_one_that_answers(alice, platform, host, create, gone):
    await create(alice, deploy=True, name="two_places")
    accepted = await alice.post(
        f"{AGENTS}/two_places/deploy", {"agent_name": "two_places", "environment": "production"}
    )
    await work(platform)

    assert (await alice.get(accepted.headers["location"])).json()["data"]["status"] == "completed"
    shown = (await alice.get(f"{AGENTS}/two_places")).json()["data"]
    assert [one["environment"] for one in shown["instances"]] == ["production", "development"]
    await gone("two_places")


async def test_documents_that_cannot_be_indexed_end_in_nothing_and_say_why(alice, platform, create, tmp_path):
    (tmp_path / "deep.json").write_text("[" * 90 + "]" * 90)
    source = {"type": "json", "source": await uploaded(alice, packed(tmp_path))}

    progress = await create(alice, name="too_deep", knowledge_sources=[source])

    assert (progress["status"], progress["phase"]) == ("failed", "ingest")
    assert progress["error_code"] == "knowledge_not_usable"
    assert "deep.json" in progress["error"]
    assert progress["next_step"]
    assert {step["name"]: step["status"] for step in progress["steps"]}["ingest"] == "failed"
    assert await left_behind(platform, alice) == []
    assert (await alice.events())[-1] == CREATION_FAILED.id


async def test_a_taken_name_is_a_conflict_and_other_organisations_do_not_take_it(alice, stranger, platform, create):
    await create(alice, name="same_name")
    source = {"type": "markdown", "source": await uploaded(alice)}
    body = {"agent_spec": {**SPEC, "name": "same_name", "knowledge_sources": [source]}}

    again = await alice.post(f"{AGENTS}/create", body)
    theirs = await create(stranger, name="same_name")

    assert (again.status_code, again.json()["code"]) == (409, "agent_exists")
    assert theirs["status"] == "completed"
    for person in (alice, stranger):
        await person.delete(f"{AGENTS}/same_name")
    await work(platform)
    assert await left_behind(platform, alice) == []


async def test_a_creation_is_accepted_as_the_specification_says(alice, platform):
    source = {"type": "markdown", "source": await uploaded(alice), "update_frequency": "weekly"}
    body = {
        "agent_spec": {**SPEC, "name": "accepted_one", "knowledge_sources": [source]},
        "integration_config": {"optional_tools": ["not_there"]},
    }

    accepted = await alice.post(f"{AGENTS}/create", body)

    assert accepted.status_code == 202
    answer = accepted.json()
    assert answer["status"] == "accepted"
    assert set(answer["data"]) == {
        "creation_id", "estimated_duration_minutes", "agent_name", "repository_url", "progress_endpoint",
    }  # fmt: skip
    assert answer["data"]["progress_endpoint"] == f"{AGENTS}/creation/{answer['data']['creation_id']}/status"
    assert answer["next_steps"]
    progress = (await alice.get(answer["data"]["progress_endpoint"])).json()["data"]
    assert progress["status"] == "pending"
    assert ["update_frequency" in progress["warnings"][0], "not_there" in progress["warnings"][1]] == [True, True]
    await work(platform)
    await alice.delete(f"{AGENTS}/accepted_one")
    await work(platform)


async def test_another_organisations_agents_do_not_exist(alice, stranger, platform, gone):
    source = {"type": "markdown", "source": await uploaded(alice)}
    accepted = await alice.post(
        f"{AGENTS}/create", {"agent_spec": {**SPEC, "name": "not_yours", "knowledge_sources": [source]}}
    )
    creation = accepted.json()["data"]["progress_endpoint"]
    await work(platform)
    deployed = await alice.post(f"{AGENTS}/not_yours/deploy", {"agent_name": "not_yours"})

    answers = [
        await stranger.get(creation),
        await stranger.get(deployed.headers["location"]),
        await stranger.get(f"{AGENTS}/not_yours"),
        await stranger.get(f"{AGENTS}/not_yours/logs"),
        await stranger.get(f"{AGENTS}/not_yours/repository"),
        await stranger.post(f"{AGENTS}/not_yours/deploy", {"agent_name": "not_yours"}),
        await stranger.delete(f"{AGENTS}/not_yours"),
        await stranger.get(f"{AGENTS}/creation/{uuid4()}/status"),
        await stranger.get(f"{AGENTS}/deployments/{uuid4()}"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 9
    assert (await stranger.get(AGENTS)).json()["data"] == []
    await work(platform)
    await gone("not_yours")


async def test_a_deployment_that_names_another_agent_or_environment_is_refused(alice, platform, create):
    await create(alice, name="refuses")

    other = await alice.post(f"{AGENTS}/refuses/deploy", {"agent_name": "another"})
    moon = await alice.post(f"{AGENTS}/refuses/deploy", {"agent_name": "refuses", "environment": "moon"})
    policy = await alice.post(f"{AGENTS}/refuses/deploy", {"agent_name": "refuses", "restart_policy": "sometimes"})

    pointers = [[error["pointer"] for error in answer.json()["errors"]] for answer in (other, moon, policy)]
    assert pointers == [["/agent_name"], ["/environment"], ["/restart_policy"]]
    await alice.delete(f"{AGENTS}/refuses")
    await work(platform)


async def test_two_capabilities_of_an_agent_answer_one_question_differently(alice, platform, host, create, gone):
    await create(alice, deploy=True, name="capable")
    async with unit_of_work(platform.db, alice.actor) as session:
        (running,) = await instances(session, alice.actor, name="capable")
    upstream = SocketUpstream()

    cited = []
    for tool in ("find_when_a_vat_return_is_due", "explain_payroll_and_wage_tax"):
        result = await upstream.call_tool(str(running.socket), tool, {"query": "On which day of the month?"}, 20)
        assert result.structured is not None
        cited.append(result.structured["citations"][0]["file"])

    await upstream.close()
    assert cited == ["vat/returns.md", "payroll/deadlines.md"]
    await gone("capable")
