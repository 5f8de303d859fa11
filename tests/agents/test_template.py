"""The repository that a new agent is: as it was agreed on, working, and without a trace of user text in its code."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from promptcraft_sdk.agent import Agent
from promptcraft_sdk.configuration import AgentConfig

GOLDEN = Path(__file__).parent.parent / "golden" / "agent"
PLAIN = AgentConfig(
    name="tax_advisor",
    display_name="Tax advisor",
    description="Answers questions about VAT, payroll and expenses.",
    domain="finance",
    keywords=("vat", "payroll"),
    capabilities=("Find VAT deadlines", "Explain payroll"),
)
HOSTILE_TEXTS = [
    "a \" quote, a ' quote, a \\ backslash",
    '"""\nimport os; os.system("touch pwned")\n"""',
    "{{ 7 * 7 }} {% raw %} {{ self._TemplateReference__context }} {# #}",
    "${HOME} $(touch pwned) `touch pwned` ; touch pwned &",
    'x"\n[tool.evil]\nrun = "yes"\n',
    "key: !!python/object/apply:os.system ['touch pwned']\n---\n- a",
    "FROM evil\nRUN touch pwned\nUSER root",
    "emoji 🎂👩‍👩‍👧 and \u202eright to left\u2066 and nul-like \u2400",
    "-----END\r\n\r\n<script>alert(1)</script> %s %(x)s {0}",
    "long " * 2_000,
]
# bytes that change with the SDK or its lock, and what cannot be read: their names are agreed on, not their content
NOT_COMPARED = {"vendor", "requirements.lock", "bm25"}


def tree(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(repository), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=repository, env=environment, text=True, capture_output=True, check=False
    )


def test_the_repository_is_the_one_agreed_on(render):
    repository = render(PLAIN)
    rendered = {
        path.relative_to(repository).as_posix(): path for path in sorted(repository.rglob("*")) if path.is_file()
    }
    compared = {name: path for name, path in rendered.items() if not NOT_COMPARED & set(name.split("/"))}
    listing = "".join(f"{name}\n" for name in rendered)
    if os.environ.get("PROMPTCRAFT_GOLDEN") == "write":
        _write_golden(listing, compared)

    assert (GOLDEN / "FILES").read_text() == listing
    for name, path in compared.items():
        assert path.read_bytes() == (GOLDEN / "tree" / f"{name}.golden").read_bytes(), name


def _write_golden(listing: str, compared: dict[str, Path]) -> None:
    for old in (GOLDEN / "tree").rglob("*.golden"):
        old.unlink()
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "FILES").write_text(listing)
    for name, path in compared.items():
        target = GOLDEN / "tree" / f"{name}.golden"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())


def test_a_hostile_specification_changes_the_data_file_alone_and_is_served_as_text(render):
    capabilities = [f"Number {at}: {text}" for at, text in enumerate(HOSTILE_TEXTS)]
    hostile = AgentConfig(
        name=PLAIN.name,
        display_name=HOSTILE_TEXTS[0],
        description="\n".join(HOSTILE_TEXTS),
        domain=HOSTILE_TEXTS[2],
        keywords=tuple(HOSTILE_TEXTS),
        capabilities=tuple(capabilities),
    )

    repository = render(hostile, "hostile")

    plain_tree, hostile_tree = tree(render(PLAIN, "plain")), tree(repository)
    assert {name for name in plain_tree | hostile_tree if plain_tree.get(name) != hostile_tree.get(name)} == {
        "config/agent.json"
    }
    agent = Agent.from_repository(repository)
    assert agent.config == hostile
    assert list(agent.config.tools.values()) == capabilities
    tests = run(repository, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert not list(repository.rglob("pwned"))


def test_the_agents_own_tests_lint_and_strict_types_pass(render):
    repository = render(PLAIN)

    tests = run(repository, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")
    lint = run(repository, "ruff", "check", "--no-cache")
    style = run(repository, "ruff", "format", "--check", "--no-cache")
    types = run(repository, "mypy", "--cache-dir", os.devnull)

    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert lint.returncode == 0, lint.stdout
    assert style.returncode == 0, style.stdout
    assert types.returncode == 0, types.stdout


def test_the_agents_own_tests_notice_a_document_that_changed(render):
    repository = render(PLAIN)
    document = repository / "knowledge" / "documents" / "expenses.md"
    document.write_text("\n\n" + document.read_text())

    tests = run(repository, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")

    assert tests.returncode == 1
    assert "run scripts/ingest_knowledge.py" in tests.stdout


def test_the_ingestion_script_checks_repairs_and_names_what_it_cannot_read(render):
    repository = render(PLAIN)
    script = [sys.executable, "scripts/ingest_knowledge.py"]
    (repository / "knowledge" / "documents" / "new.md").write_text("# New\n\nA new document about parking.")

    def ingest(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*script, *arguments], cwd=repository, text=True, capture_output=True, check=False)

    assert ingest("--check").returncode == 1
    assert ingest().stdout.startswith("6 documents")
    assert ingest("--check").returncode == 0
    (repository / "knowledge" / "documents" / "bad.json").write_text("{")
    refused = ingest()
    assert refused.returncode == 2
    assert "bad.json: line 1" in refused.stderr


def test_the_lock_pins_everything_by_hash_and_names_no_address(render):
    repository = render(PLAIN)
    lock = (repository / "requirements.lock").read_text()
    (wheel,) = (repository / "vendor").iterdir()

    assert "://" not in lock
    assert f"./vendor/{wheel.name} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" in lock
    pinned = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert all(line.endswith("\\") for line in pinned)
