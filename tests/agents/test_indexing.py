"""An agent's index grows while it answers: vectors make it find by meaning, its own questions say when to decline."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from promptcraft.agents.clients import Places, tree_sha256
from promptcraft.app.work import kinds_of
from promptcraft.kernel.audit.catalogue.agents import AGENT_EVALUATED, INDEX_GROWN
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.http import http_client
from promptcraft.kernel.jobs import run_job
from promptcraft.runtime import instances
from promptcraft_sdk.configuration import CALIBRATION, VECTORS
from tests.agents.conftest import SPEC, left_behind, uploaded, work
from tests.conftest import Platform
from tests.people import Person

AGENTS = "/api/v4/admin/agents"
# in words that the handbook does not have
PARAPHRASED = "Can I claim the cost of cycling to a meeting?"
RIGHT: list[tuple[str, str, dict[str, Any]]] = [
    ("When is the quarterly VAT return due?", "vat/returns.md", {"answer": "10th day after the end"}),
    ("What does it cost to file late?", "vat/returns.md", {"answer": "up to 10 percent"}),
    ("Which rate applies to books?", "vat/rates.md", {"lines": "1-1"}),
    ("How much is the allowance for meals?", "expenses.md", {"answer": ["14 a day", "fourteen a day"]}),
    ("Are bicycles reimbursed?", "expenses.md", {"answer": "Bicycles are not reimbursed"}),
    ("When must social security contributions be paid?", "payroll/deadlines.md", {}),
    ("When is wage tax due?", "payroll/deadlines.md", {}),
    ("Which VAT rate is the standard one?", "vat/rates.md", {}),
    ("How is a late VAT return punished?", "vat/returns.md", {}),
    ("Which travel expenses are paid?", "expenses.md", {}),
]
WRONG = (
    "How do I bake a cake?", "Who won the chess championship?", "Which printer is in the lobby?",
    "How do I train a dog?", "What is the capital of Mongolia?",
)  # fmt: skip
QUESTIONS = [{"question": question, "file": file, **more} for question, file, more in RIGHT] + [
    {"question": question, "answerable": False} for question in WRONG
]

Gone = Callable[[str], Awaitable[None]]


@pytest.fixture
async def gone(platform: Platform, alice: Person, host: None) -> Gone:
    async def delete(name: str) -> None:
        assert (await alice.delete(f"{AGENTS}/{name}")).status_code == 204
        async with asyncio.timeout(60):
            while await left_behind(platform, alice):
                await work(platform)
                await asyncio.sleep(0.1)

    return delete


@asynccontextmanager
async def health_of(
    platform: Platform, person: Person, name: str
) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
    """What the running agent says of its knowledge."""
    async with unit_of_work(platform.db, person.actor) as session:
        (running,) = await instances(session, person.actor, name=name)
    async with http_client(base_url="http://localhost:8080", socket=str(running.socket), connections=1) as client:

        async def ask() -> dict[str, Any]:
            return (await client.get("/health")).json()["knowledge"]

        yield ask


async def shown(person: Person, name: str) -> dict[str, Any]:
    return (await person.get(f"{AGENTS}/{name}")).json()["data"]


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=directory, text=True, capture_output=True, check=True).stdout.strip()


async def test_vectors_come_into_a_running_agent_without_a_failed_call_or_a_restart(
    alice, platform, host, gone, tmp_path
):
    source = {"type": "markdown", "source": await uploaded(alice)}
    spec = {**SPEC, "name": "grows", "knowledge_sources": [source]}
    accepted = await alice.post(f"{AGENTS}/create", {"agent_spec": spec, "deployment_config": {"auto_deploy": True}})
    await run_job(platform.db, kinds_of(platform.parts), UUID(accepted.json()["data"]["creation_id"]), "test")
    before = (await alice.post("/api/v4/execute", {"query": PARAPHRASED, "agent": "grows"})).json()["data"]
    stop, answered = asyncio.Event(), []

    async def keep_asking() -> None:
        while not stop.is_set():
            asked = await alice.post("/api/v4/execute", {"query": "When is the VAT return due?", "agent": "grows"})
            answered.append((asked.status_code, asked.json()["data"]["answered"]))

    asking = asyncio.create_task(keep_asking())
    async with health_of(platform, alice, "grows") as health, asyncio.timeout(60):
        assert (await health())["retrieval"] == "bm25"
        await work(platform)
        while (await health())["retrieval"] != "fused":  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.1)
    stop.set()
    await asking

    agent = await shown(alice, "grows")
    assert set(answered) == {(200, True)}
    assert agent["instances"][0]["restarts"] == 0
    assert (agent["index"]["version"], agent["index"]["vectors"] > 0) == (2, True)
    after = (await alice.post("/api/v4/execute", {"query": PARAPHRASED, "agent": "grows"})).json()["data"]
    assert (before["answered"], after["answered"]) == (False, True)
    assert "Bicycles are not reimbursed" in "\n".join(one["text"] for one in after["citations"])
    bundle = await alice.client.get(f"{AGENTS}/grows/repository")
    (tmp_path / "bundle").write_bytes(bundle.content)
    git(tmp_path, "clone", "--quiet", "bundle", "clone")
    assert git(tmp_path / "clone", "rev-parse", "HEAD") == agent["index"]["commit"]
    assert git(tmp_path / "clone", "rev-parse", "HEAD~1") == agent["commit"]
    assert git(tmp_path / "clone", "diff", "--name-only", "HEAD~1").splitlines() == [
        f"{VECTORS}/{name}"
        for name in ("basis.npy", "starts.npy", "vectors.json", "vectors.npy", "word_starts.npy", "words.npy")
    ]
    assert INDEX_GROWN.id in await alice.events()
    await gone("grows")


async def test_a_question_set_says_how_good_an_agent_is_and_calibrates_it(alice, platform, host, create, gone):
    await create(alice, deploy=True, name="measured")

    answer = await alice.post(f"{AGENTS}/measured/evaluate", {"questions": QUESTIONS, "calibrate": True})

    assert answer.status_code == 200, answer.text
    told = answer.json()["data"]
    figures = told["figures"]
    assert (figures["answerable"], figures["unanswerable"]) == (10, 5)
    assert figures["right_file"] >= 9
    assert figures["declined"] >= 4
    assert figures["within_lines"] >= 4
    assert (told["retrieval"], told["environment"], told["version"]) == ("fused", "development", "1")
    assert len(told["verdicts"]) == len(QUESTIONS)
    assert told["verdicts"][2]["within_lines"] is False  # the heading's line holds no rate
    assert AGENT_EVALUATED.id in await alice.events()
    await work(platform)
    async with health_of(platform, alice, "measured") as health, asyncio.timeout(30):
        while (await health())["enough"] != told["enough"]:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.1)
    assert (await shown(alice, "measured"))["index"]["version"] == 3
    again = (await alice.post(f"{AGENTS}/measured/evaluate", {"questions": QUESTIONS})).json()["data"]
    assert again["enough"] is None
    wrong = again["figures"]["wrongly_declined"] + 5 - again["figures"]["declined"]
    assert wrong <= figures["wrongly_declined"] + 5 - figures["declined"]
    await gone("measured")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"questions": []}, "/questions"),
        ({"questions": [{"question": "Why?"}]}, "/questions/0"),
        ({"questions": [{"question": "Why?", "file": "a.md", "answerable": False}]}, "/questions/0"),
        ({"questions": [{"question": "Why?", "file": "a.md", "lines": "5"}]}, "/questions/0/lines"),
        ({"questions": [{"question": "Why?", "answer": "b", "lines": "5-6"}]}, "/questions/0"),
        ({"questions": "Why?"}, "/questions"),
        ({"questions": [{"question": "Why?", "file": "a.md"}] * 501}, "/questions"),
    ],
)
async def test_a_question_set_that_cannot_be_used_is_refused_where_it_is_wrong(alice, body, pointer):
    answer = await alice.post(f"{AGENTS}/nobody_here/evaluate", body)

    assert answer.status_code == 422
    assert any(error["pointer"].startswith(pointer) for error in answer.json()["errors"])


async def test_an_agent_that_does_not_run_or_is_not_theirs_cannot_be_evaluated(alice, stranger, platform, create, gone):
    await create(alice, name="not_started")
    body = {"questions": QUESTIONS}

    stopped = await alice.post(f"{AGENTS}/not_started/evaluate", body)
    few = await alice.post(f"{AGENTS}/not_started/evaluate", {"questions": QUESTIONS[:5], "calibrate": True})
    theirs = await stranger.post(f"{AGENTS}/not_started/evaluate", body)
    nobodys = await alice.post(f"{AGENTS}/nobody_here/evaluate", body)

    assert (stopped.status_code, stopped.json()["code"]) == (409, "agent_not_running")
    assert (few.status_code, few.json()["code"]) == (422, "too_few_questions")
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    await gone("not_started")


async def test_what_an_index_is_given_leaves_the_version_the_one_that_was_checked(alice, platform, create, gone):
    await create(alice, name="unchanged")
    (version,) = Places(platform.process.settings.core.data_dir.absolute()).data.glob("agents/*/*/versions/1")
    assert (version / VECTORS / "vectors.npy").is_file()

    grown = tree_sha256(version)
    (version / CALIBRATION).write_text("{}")
    calibrated = tree_sha256(version)
    (version / "src" / "unchanged" / "agent.py").write_text("import os")

    assert (calibrated, tree_sha256(version) == grown) == (grown, False)
    await gone("unchanged")
