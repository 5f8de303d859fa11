"""What stands between files and a version: read by the platform's own settings, run in isolation."""

import tomllib
from pathlib import Path

import pytest

from promptcraft.agents.errors import CodeUnsafe, QuestionsNotUsable, VerificationFailed
from promptcraft.agents.service.gate import Candidate, pass_gate
from promptcraft.agents.service.supplies import TEMPLATE
from promptcraft.kernel.ids import new_id
from promptcraft_sdk.leaks import leaks_in
from tests.agents.conftest import SPEC, packed, uploaded, work
from tests.agents.test_template import PLAIN

AGENTS = "/api/v4/admin/agents"
# put together here, so that no scanner of this repository takes them for what they look like
TOKEN = "ghp_" + "R7mK2pQ9xW4vB8nC5tY1zL6hD3fG0jS7aE2u"
KEY_ID = "AKIA" + "Q7XW3MRT5PLN2VKC"
QUESTIONS = [
    {"question": "When is the quarterly VAT return due?", "file": "vat/returns.md"},
    {"question": "When is the quarterly VAT return due, then?", "file": "expenses.md"},
    {"question": "Which wqvzxk did the zzqjxk bring?", "answerable": False},
]


@pytest.fixture
def candidate(render, platform):
    """A repository of an agent that somebody has worked on."""
    return Candidate(new_id(), PLAIN.name, render(PLAIN), trusted=False)


async def test_a_secret_in_a_document_refuses_the_agent_by_file_and_line_and_does_not_repeat_it(
    platform, alice, tmp_path
):
    (tmp_path / "wiki").mkdir()
    (tmp_path / "wiki" / "deploy.md").write_text(f"# Deploy\n\nTo deploy, take the token\n`{TOKEN}` and push.\n")
    source = {"type": "markdown", "source": await uploaded(alice, packed(tmp_path))}

    accepted = await alice.post(
        f"{AGENTS}/create", {"agent_spec": {**SPEC, "name": "leaky_agent", "knowledge_sources": [source]}}
    )
    await work(platform)

    progress = (await alice.get(accepted.json()["data"]["progress_endpoint"])).json()["data"]
    assert (progress["status"], progress["phase"], progress["error_code"]) == ("failed", "verify", "secret_found")
    assert "knowledge/documents/wiki/deploy.md:4 holds a github token, ghp_…" in progress["error"]
    assert TOKEN not in str(progress)
    assert (await alice.get(f"{AGENTS}/leaky_agent")).status_code == 404


def test_secrets_are_told_from_what_only_looks_like_one(tmp_path):
    texts = {
        "key.txt": f"{KEY_ID}\n",
        "pem.md": "```\n-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA7bq9ZxW2" * 2 + "Kd8\n```\n",
        "shown.md": "AKIAIOSFODNN7EXAMPLE and ghp_" + "x" * 36 + " and sk-" + "your-key-goes-here-" * 3,
        "template.md": "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        "allowed.md": f"{KEY_ID} <!-- pragma: allowlist secret -->\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)

    found = [(leak.file, leak.line, leak.kind) for leak in leaks_in(tmp_path)]

    assert found == [("key.txt", 1, "aws_access_key"), ("pem.md", 2, "private_key")]


async def test_unsafe_code_is_refused_by_file_and_line_whatever_the_code_says_of_itself(platform, candidate):
    agent = candidate.files / "src" / PLAIN.name / "agent.py"
    agent.write_text(
        agent.read_text() + "\n\ndef run(words: str) -> int:\n    return __import__('os').system(words)  # nosec\n"
        "\n\ndef load(data: bytes) -> object:\n    import marshal\n\n    return marshal.loads(data)  # nosec\n"
    )
    (candidate.files / ".bandit").write_text("[bandit]\nexclude = src\nskips = B302\n")
    # what would take bandit's place, were it looked for here
    (candidate.files / "src" / "bandit").mkdir()
    (candidate.files / "src" / "bandit" / "__main__.py").write_text("print('{\"results\": []}')\n")

    with pytest.raises(CodeUnsafe) as refused:
        await pass_gate(platform.parts.factory, candidate)

    line = agent.read_text().splitlines().index("    return marshal.loads(data)  # nosec") + 1
    assert f"src/tax_advisor/agent.py:{line} " in refused.value.detail
    assert "(B302)" in refused.value.detail


async def test_types_are_strict_whatever_the_repository_settles_for(platform, candidate):
    agent = candidate.files / "src" / PLAIN.name / "agent.py"
    agent.write_text(agent.read_text() + '\n\ndef count() -> int:\n    return "many"\n')
    settings = candidate.files / "pyproject.toml"
    settings.write_text(settings.read_text().replace("strict = true", "ignore_errors = true"))

    with pytest.raises(VerificationFailed, match=r"types failed: .*agent\.py:\d+: error: Incompatible return value"):
        await pass_gate(platform.parts.factory, candidate)


async def test_a_question_set_that_cannot_be_asked_is_refused_by_line(platform, candidate):
    (candidate.files / "tests" / "questions.yaml").write_text("- question: When?\n  file: [\n")

    with pytest.raises(QuestionsNotUsable, match=r"tests/questions.yaml line 3"):
        await pass_gate(platform.parts.factory, candidate)


async def test_the_share_of_held_questions_answered_right_is_the_accuracy(platform, alice, host, create):
    await create(alice, name="unmeasured_agent")
    progress = await create(alice, name="measured_agent", deploy=True, questions=QUESTIONS)
    assert progress["status"] == "completed", progress

    shown = (await alice.get(f"{AGENTS}/measured_agent")).json()["data"]
    assert (shown["questions"], round(shown["accuracy"], 3)) == (3, 0.667)
    assert (await alice.get(f"{AGENTS}/unmeasured_agent")).json()["data"]["accuracy"] is None


def test_the_template_tells_people_what_the_gate_holds_them_to():
    gate = tomllib.loads((TEMPLATE / "checks" / "pyproject.toml").read_text())["tool"]
    told = tomllib.loads(
        (TEMPLATE / "project" / "pyproject.toml.jinja").read_text().replace("{{", "").replace("}}", "")
    )

    assert {"ruff": told["tool"]["ruff"], "mypy": told["tool"]["mypy"]} == gate


def test_documents_are_read_as_they_are(tmp_path: Path):
    (tmp_path / "latin.md").write_bytes(f"caf\xe9 {KEY_ID}".encode("latin-1"))

    assert [leak.file for leak in leaks_in(tmp_path)] == ["latin.md"]
