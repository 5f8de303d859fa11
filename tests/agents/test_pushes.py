"""An edited repository comes back: what is refused at the door, what by the gate, and what becomes a version."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from promptcraft.app.engines import driver_of
from promptcraft.app.work import kinds_of
from promptcraft.kernel.audit.catalogue.agents import REVISION_FAILED, VERSION_PUSHED
from promptcraft.kernel.jobs import due_work, run_job
from tests.agents.conftest import work
from tests.conftest import Platform
from tests.people import Person

AGENTS = "/api/v4/admin/agents"
NAME = "tax_advisor"
TOOL = '''    @agent.tool()
    def add_days(days: int) -> int:
        """How many days that makes."""
        return days + 1

    return agent
'''


def git(directory: Path, *arguments: str, **variables: str) -> str:
    me = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "protocol.file.allow=always")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", **variables}
    run = subprocess.run(
        ["git", "-C", str(directory), *me, *arguments], capture_output=True, env=environment, check=True
    )
    return run.stdout.decode(errors="replace").strip()


def committed(clone: Path) -> bytes:
    """Everything in a clone, committed, as a bundle."""
    git(clone, "add", "--all", "--force")
    git(clone, "commit", "--quiet", "--no-verify", "--allow-empty", "-m", "edited")
    return bundled(clone)


def bundled(clone: Path, *references: str) -> bytes:
    git(clone, "bundle", "create", "--quiet", "out.bundle", *(references or ("main",)))
    return (clone / "out.bundle").read_bytes()


async def cloned(person: Person, directory: Path, name: str = NAME) -> Path:
    """The agent's repository, as it is now."""
    answer = await person.get(f"{AGENTS}/{name}/repository")
    assert answer.status_code == 200, answer.text
    file, target = directory / "in.bundle", directory / "clone"
    file.write_bytes(answer.content)
    git(directory, "clone", "--quiet", "--branch", "main", str(file), str(target))
    git(target, "config", "core.excludesFile", "/dev/null")
    (target / ".git" / "info" / "exclude").write_text("*.bundle\n")
    return target


async def pushed(person: Person, bundle: bytes, name: str = NAME):
    return await person.client.post(f"{AGENTS}/{name}/repository", content=bundle)


async def seen_through(platform: Platform, person: Person, answer) -> dict:
    """The end of what was accepted."""
    assert answer.status_code == 202, answer.text
    await work(platform)
    return (await person.get(answer.json()["data"]["progress_endpoint"])).json()["data"]


@pytest.fixture
async def clone(alice, create, tmp_path) -> Path:
    """A clone of an agent that is there for all tests of this module."""
    if (await alice.get(f"{AGENTS}/{NAME}")).status_code == 404:
        assert (await create(alice))["status"] == "completed"
    return await cloned(alice, tmp_path)


async def test_an_edited_repository_passes_the_gate_and_runs_isolated_as_the_next_version(platform, alice, host, clone):
    before = (await alice.get(f"{AGENTS}/{NAME}")).json()["data"]
    agent = clone / "src" / NAME / "agent.py"
    agent.write_text(agent.read_text().replace("    return agent\n", TOOL))
    (clone / "knowledge" / "documents" / "parking.md").write_text("# Parking\n\nParking is refunded up to 12 a day.\n")

    progress = await seen_through(platform, alice, await pushed(alice, committed(clone)))

    assert (progress["status"], progress["phase"]) == ("completed", "built"), progress["error"]
    assert [step["name"] for step in progress["steps"]] == ["receive", "verify", "keep"]
    shown = (await alice.get(f"{AGENTS}/{NAME}")).json()["data"]
    assert int(shown["version"]) == int(before["version"]) + 1
    assert (shown["documents"], shown["edited"], shown["status"]) == (before["documents"] + 1, True, before["status"])
    deployed = await alice.post(f"{AGENTS}/{NAME}/deploy", {"agent_name": NAME})
    assert (await seen_through(platform, alice, deployed))["status"] == "completed"
    shown = (await alice.get(f"{AGENTS}/{NAME}")).json()["data"]
    assert "add_days" in shown["tools"]
    asked = await alice.post("/api/v4/execute", {"query": "Up to what is parking refunded?", "agent": NAME})
    assert asked.json()["data"]["citations"][0]["file"] == "parking.md"
    assert VERSION_PUSHED.id in await alice.events()


async def test_what_does_not_pass_the_gate_is_no_version_and_leaves_main_where_it_was(platform, alice, clone):
    before = (await alice.get(f"{AGENTS}/{NAME}")).json()["data"]
    (clone / "tests" / "test_mine.py").write_text("def test_that_fails() -> None:\n    assert not 1\n")

    progress = await seen_through(platform, alice, await pushed(alice, committed(clone)))

    assert (progress["status"], progress["error_code"]) == ("failed", "verification_failed")
    assert "test_that_fails" in progress["error"]
    after = (await alice.get(f"{AGENTS}/{NAME}")).json()["data"]
    assert (after["version"], after["status"]) == (before["version"], before["status"])
    again = await cloned(alice, _beside(clone))
    assert git(again, "rev-parse", "main") == git(clone, "rev-parse", "main~1")
    data = platform.process.settings.core.data_dir
    assert list((data / "workspaces").iterdir()) == []
    assert REVISION_FAILED.id in await alice.events()


async def test_where_nothing_isolates_an_edited_version_is_refused(platform, alice, clone, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    for program in ("setpriv", "prlimit", "nice", "setsid", "sh", "git"):
        (tools / program).symlink_to(str(shutil.which(program)))
    (clone / "NOTES.md").write_text("mine\n")
    answer = await pushed(alice, committed(clone))
    assert answer.status_code == 202, answer.text
    monkeypatch.setenv("PATH", str(tools))
    driver = driver_of(platform.process.settings, commands_only=True)
    parts = replace(platform.parts, factory=replace(platform.parts.factory, commands=driver))

    for due in await due_work(platform.db):
        if len(due.target) == 36:
            await run_job(platform.db, kinds_of(parts), UUID(due.target), "test")
    await driver.close()

    progress = (await alice.get(answer.json()["data"]["progress_endpoint"])).json()["data"]
    assert (progress["status"], progress["error_code"]) == ("failed", "isolation_required"), progress


def _beside(clone: Path) -> Path:
    other = clone.parent / "beside"
    other.mkdir()
    return other


def link(clone: Path) -> bytes:
    (clone / "src" / "passwd").symlink_to("../../../../etc/passwd")
    return committed(clone)


def submodule(clone: Path) -> bytes:
    commit = git(clone, "rev-parse", "HEAD")
    git(clone, "update-index", "--add", "--cacheinfo", f"160000,{commit},vendor/other")
    git(clone, "commit", "--quiet", "-m", "submodule")
    return bundled(clone)


def modules_file(clone: Path) -> bytes:
    (clone / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = ../x\n')
    return committed(clone)


def tree_of(clone: Path, entry: bytes) -> bytes:
    """A bundle whose newest commit holds a tree that git itself would not write."""
    blob = bytes.fromhex(git(clone, "hash-object", "-w", "pyproject.toml"))
    listed = subprocess.run(
        ["git", "-C", str(clone), "cat-file", "tree", "HEAD^{tree}"], capture_output=True, check=True
    ).stdout
    raw = b"100644 " + entry + b"\0" + blob
    made = subprocess.run(
        ["git", "-C", str(clone), "hash-object", "-t", "tree", "--literally", "-w", "--stdin"],
        input=raw + listed if entry.startswith(b".") else listed + raw, capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    commit = git(clone, "commit-tree", made, "-p", "HEAD", "-m", "by hand")
    git(clone, "update-ref", "refs/heads/main", commit)
    return bundled(clone)


def hooks(clone: Path) -> bytes:
    return tree_of(clone, b".git")


def not_utf8(clone: Path) -> bytes:
    return tree_of(clone, b"zz\xff\xfe.md")


def huge_file_that_is_gone_again(clone: Path) -> bytes:
    (clone / "huge.bin").write_bytes(bytes(30 * 10**6))
    committed(clone)
    (clone / "huge.bin").unlink()
    return committed(clone)


def another_history(clone: Path) -> bytes:
    git(clone, "checkout", "--quiet", "--orphan", "other")
    git(clone, "commit", "--quiet", "-m", "from nothing")
    git(clone, "branch", "--force", "main", "other")
    return bundled(clone)


def a_step_back(clone: Path) -> bytes:
    git(clone, "commit", "--quiet", "--amend", "-m", "amended")
    return bundled(clone)


def nothing_new(clone: Path) -> bytes:
    return bundled(clone)


def other_branches(clone: Path) -> bytes:
    git(clone, "branch", "mine")
    committed(clone)
    return bundled(clone, "main", "mine")


def no_bundle(clone: Path) -> bytes:
    return b"PK\x03\x04"


def cut_short(clone: Path) -> bytes:
    return committed(clone)[:-300]


def of_another_agent(clone: Path) -> bytes:
    config = clone / "config" / "agent.json"
    config.write_text(config.read_text().replace(NAME, "fax_advisor"))
    return committed(clone)


HOSTILE = [
    (link, 422, "bundle_not_usable", "src/passwd is a symbolic link"),
    (submodule, 422, "bundle_not_usable", "vendor/other is a submodule"),
    (modules_file, 422, "bundle_not_usable", ".gitmodules declares submodules"),
    (hooks, 422, "bundle_not_usable", ".git is git's own business"),
    (not_utf8, 422, "bundle_not_usable", "not UTF-8"),
    (huge_file_that_is_gone_again, 413, "bundle_too_large", "larger than 25 MB"),
    (another_history, 409, "not_fast_forward", "does not go on from"),
    (a_step_back, 409, "not_fast_forward", "does not go on from"),
    (nothing_new, 409, "not_fast_forward", "already"),
    (other_branches, 422, "bundle_not_usable", "refs/heads/mine"),
    (no_bundle, 422, "bundle_not_usable", "no git bundle"),
    (cut_short, 422, "bundle_not_usable", "git refuses it"),
]


@pytest.mark.parametrize(("make", "status", "code", "said"), HOSTILE, ids=[made[0].__name__ for made in HOSTILE])
async def test_a_bundle_that_cannot_be_taken_in_is_refused_at_the_door(
    platform, alice, clone, make, status, code, said
):
    answer = await pushed(alice, make(clone))

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert said in answer.json()["detail"]
    assert (await alice.get(f"{AGENTS}/{NAME}")).json()["data"]["status"] != "building"
    data = platform.process.settings.core.data_dir
    assert list((data / "workspaces").iterdir()) == []


async def test_a_bundle_that_does_not_end_is_not_read_to_its_end(alice, clone, monkeypatch):
    monkeypatch.setattr("promptcraft.agents.service.updating.MOST_SENT", 10**6)

    answer = await pushed(alice, committed(clone) + bytes(10**6))

    assert (answer.status_code, answer.json()["code"]) == (413, "bundle_too_large")


async def test_the_repository_of_another_agent_is_refused(platform, alice, clone):
    progress = await seen_through(platform, alice, await pushed(alice, of_another_agent(clone)))

    assert (progress["status"], progress["error_code"]) == ("failed", "bundle_not_usable")
    assert "fax_advisor" in progress["error"]


async def test_nobody_else_pushes(alice, stranger, person, clone):
    bundle = committed(clone)

    assert (await pushed(stranger, bundle)).status_code == 404
    assert (await pushed(await person("viewer"), bundle)).status_code == 403
