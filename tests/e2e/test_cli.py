"""pc-hybrid on a platform that runs: an agent made, asked, looked at, cloned, and deleted again."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from promptcraft_sdk.client import Client, Credentials, api
from tests.cli.conftest import COMMAND, Ended
from tests.e2e.conftest import Running

pytestmark = pytest.mark.e2e

HANDBOOK = Path(__file__).parents[1] / "agents" / "handbook"
QUESTION = "When is the quarterly VAT return due?"
OPTIONS = (
    "--domain", "finance",
    "--description", "Answers questions about taxes and travel expenses of a small company.",
    "--keywords", "vat,invoice,expenses",
    "--knowledge", str(HANDBOOK),
)  # fmt: skip
BUILT = ["validate", "render", "ingest", "tests", "verify", "repository"]
DEPLOYED = [*BUILT, "start", "healthy", "contract", "register", "route"]
Cli = Callable[..., Ended]


def new_name() -> str:
    return f"agent_{uuid4().hex[:8]}"


def steps_in(talk: str) -> list[str]:
    return re.findall(r"^  ✓ (\w+) .* \d+\.\d s$", talk, re.MULTILINE)


@pytest.fixture(scope="module")
def made(running: Running, key: str) -> Iterator[tuple[str, str, str]]:
    """An agent that runs in development: its name, and what its making printed as data and as talk."""
    name = new_name()
    variables = {"PCH_API_URL": running.url, "PCH_TOKEN": key, "HOME": str(running.data.parent)}
    done = subprocess.run(
        (*COMMAND, "agent", "create", name, *OPTIONS, "--capability", "compute the VAT", "--memory", "256M"),
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield name, done.stdout, done.stderr
    with Client(running.url, Credentials(access_token=key)) as client:
        client.send(api.delete_agent(name))


@pytest.fixture
def advisor(made: tuple[str, str, str]) -> str:
    return made[0]


def test_a_creation_shows_each_step_with_its_time_and_ends_with_the_next_command(made):
    name, printed, talk = made

    assert talk.splitlines()[0].startswith("Uploading 5 documents (")
    assert talk.splitlines()[1] == f"Creating {name}"
    assert steps_in(talk) == DEPLOYED
    assert re.fullmatch(rf"{name} 1 is running in development \(\d+\.\d s\)\n", printed)
    assert talk.splitlines()[-1] == 'Ask it: pc-hybrid ask "..."'


def test_the_agent_is_listed_by_status_and_domain(cli: Cli, advisor: str):
    by_both = json.loads(cli("agent", "list", "--status", "running", "--domain", "finance", "-o", "json").data)
    table = cli("agent", "list").data.splitlines()

    assert advisor in [agent["name"] for agent in by_both]
    assert table[0].split() == ["NAME", "DOMAIN", "STATUS", "VERSION", "CREATED"]
    assert any(line.startswith(f"{advisor} ") for line in table)
    assert json.loads(cli("agent", "list", "--domain", "gardening", "-o", "json").data) == []


def test_show_says_what_it_is_where_it_runs_and_what_keeps_it_in(cli: Cli, advisor: str):
    shown = cli("agent", "show", advisor).data

    assert shown.startswith(f"{advisor} 1 is running\n")
    assert "tools         ask, compute_the_vat" in shown
    assert "knowledge     5 documents, " in shown
    assert re.search(r"^isolation +driver process, .*, memory by ", shown, re.MULTILINE)
    assert re.search(r"^development +1 +running +0 +-$", shown, re.MULTILINE)


def test_logs_are_what_the_agent_wrote(cli: Cli, advisor: str):
    ended = cli("agent", "logs", advisor, "--lines", "3")

    assert ended.exit_code == 0
    assert len(ended.data.splitlines()) <= 3


def test_an_answer_names_the_lines_that_hold_it_and_is_counted(cli: Cli, advisor: str):
    answer = json.loads(cli("ask", QUESTION, "--agent", advisor, "-o", "json").data)
    rated = cli("feedback", answer["execution_id"][:13], "5")

    cited = answer["citations"][0]
    assert cited["file"].endswith("vat/returns.md")
    lines = (HANDBOOK / "vat" / "returns.md").read_text().splitlines()
    assert "10th day" in " ".join(lines[cited["start_line"] - 1 : cited["end_line"]])
    assert rated.exit_code == 0
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        report = json.loads(cli("analytics", "usage", "--time-range", "7d", "-o", "json").data)
        if any(one["agent_id"] == advisor and one["user_rating"] for one in report["agent_performance"]):
            break
        time.sleep(0.2)
    else:
        pytest.fail("the execution was never counted")
    assert re.search(rf"^{advisor} +1 ", cli("analytics", "usage").data, re.MULTILINE)


def test_the_last_five_minutes_are_shown(cli: Cli):
    ended = cli("analytics", "performance")

    assert ended.exit_code == 0
    assert [line.split("  ")[0] for line in ended.data.splitlines()] == [
        "LAST 5 MINUTES", "Response time", "Success", "Active workflows", "Queue length",
    ]  # fmt: skip


def test_a_clone_is_a_repository_of_ones_own(cli: Cli, advisor: str, home):
    ended = cli("agent", "clone", advisor)

    clone = home.path / advisor
    assert ended.exit_code == 0, ended.talk
    assert ended.data.startswith(f"{advisor} is in {advisor}, at ")
    assert (clone / "src").is_dir()
    assert (clone / "README.md").is_file()
    git = ("git", "-C", str(clone))
    assert subprocess.check_output((*git, "branch", "--show-current"), text=True) == "main\n"
    assert subprocess.check_output((*git, "remote"), text=True) == ""
    assert subprocess.check_output((*git, "status", "--porcelain"), text=True) == ""


def test_a_clone_never_goes_over_what_is_there(cli: Cli, advisor: str, home):
    (home.path / "taken").mkdir()
    (home.path / "taken" / "file").write_text("mine")

    ended = cli("agent", "clone", advisor, "taken")

    assert ended.exit_code == 5
    assert [path.name for path in (home.path / "taken").iterdir()] == ["file"]


def test_a_name_is_given_once(cli: Cli, advisor: str):
    ended = cli("agent", "create", advisor, *OPTIONS)

    assert ended.exit_code == 5
    assert "request " in ended.talk


def test_what_the_platform_does_not_take_is_exit_2_with_the_field(cli: Cli, home):
    bad = cli("agent", "create", new_name(), *OPTIONS, "--memory", "lots", "--capability", "!!!")
    (home.path / "latin.md").write_bytes(b"# Gr\xfc\xdfe\n")
    latin = cli("agent", "create", new_name(), "--domain", "d", "--knowledge", "latin.md")

    assert bad.exit_code == 2
    assert "/deployment_config/resource_limits/memory" in bad.talk
    assert "/agent_spec/capabilities/0" in bad.talk
    assert latin.exit_code == 2


def test_a_creation_that_fails_says_at_which_step_and_why_and_leaves_nothing(cli: Cli, home):
    name = new_name()
    (home.path / "empty.md").write_text("\n")

    ended = cli("agent", "create", name, "--domain", "d", "--knowledge", "empty.md")
    told = json.loads(cli("agent", "create", name, "--domain", "d", "--knowledge", "empty.md", "-o", "json").data)

    assert (ended.exit_code, ended.data) == (1, "")
    assert re.search(r"^  ✗ ingest .* \d+\.\d s$", ended.talk, re.MULTILINE)
    assert f"Error: {name}: ingest failed, what came before it was undone\n    documents: " in ended.talk
    assert (told["status"], told["error_code"]) == ("failed", "knowledge_not_usable")
    assert cli("agent", "show", name).exit_code == 3


def test_the_older_spelling_makes_an_agent_too_and_the_rest_goes_step_by_step(cli: Cli):
    name = new_name()

    built = cli("create-agent", "--domain", "finance", "--name", name, "--knowledge", str(HANDBOOK), "--no-deploy")
    begun = cli("agent", "deploy", name, "--no-wait")
    followed = cli(*begun.talk.splitlines()[-1].removeprefix("Follow it:  pc-hybrid ").split())
    deployed = cli("agent", "deploy", name, "--environment", "staging")
    deleted = cli("agent", "delete", name, "--yes")

    assert built.data.startswith(f"{name} 1 is built (")
    assert steps_in(built.talk) == BUILT
    assert built.talk.splitlines()[-1] == f"Deploy it: pc-hybrid agent deploy {name}"
    assert begun.data.startswith(f"Deploying {name} to development: ")
    assert followed.data.startswith(f"{name} 1 is running in development (")
    assert re.match(rf"{name} 1 is running in (development, )?staging", deployed.data)
    assert deleted.data == f"{name} is deleted\n"
    assert cli("agent", "show", name).exit_code == 3


def test_at_a_terminal_what_is_missing_is_asked_for(typed: Cli, cli: Cli):
    name = new_name()

    ended = typed(
        "agent", "create", "--no-deploy",
        keys=(
            ("Name ", name),
            ("Domain ", "finance"),
            ("Description ", "Knows taxes."),
            ("Keywords ", ""),
            ("Knowledge ", str(HANDBOOK)),
        ),
    )  # fmt: skip

    assert ended.exit_code == 0, ended.talk
    assert "\x1b[32m✓\x1b[0m validate" in ended.talk
    assert f"{name} 1 is built" in ended.talk
    assert json.loads(cli("agent", "show", name, "-o", "json").data)["description"] == "Knows taxes."
    assert cli("agent", "delete", name, "--yes").exit_code == 0


def test_ctrl_c_leaves_the_creation_going_and_prints_how_to_come_back(typed: Cli, cli: Cli, home):
    name = new_name()
    spec = {"name": name, "display_name": "From a file", "domain": "law", "description": "d", "keywords": ["vat"]}
    (home.path / "spec.json").write_text(json.dumps({"agent_spec": spec}))

    command = ("agent", "create", "-f", "spec.json", "--domain", "finance", "--knowledge", str(HANDBOOK))
    left = typed(*command, "--no-deploy", keys=((f"Creating {name}", "^C"),))
    resume = re.findall(r"Resume:  pc-hybrid (.+)", left.talk)[0].split()
    resumed = cli(*resume)

    shown = json.loads(cli("agent", "show", name, "-o", "json").data)
    assert left.exit_code == 130
    assert resumed.data.startswith(f"{name} 1 is built (")
    assert (shown["display_name"], shown["domain"]) == ("From a file", "finance")
    assert cli("agent", "delete", name, "--yes").exit_code == 0


def test_deleting_is_confirmed_by_a_person_or_by_yes(typed: Cli, cli: Cli, advisor: str):
    assert cli("agent", "delete", advisor).exit_code == 2
    assert typed("agent", "delete", advisor, keys=(("[y/N]", "n"),)).exit_code == 1

    assert cli("agent", "show", advisor).exit_code == 0


def test_a_second_platform_on_the_same_directory_is_refused(running: Running, home):
    done = subprocess.run(
        (*COMMAND, "up", "--port", "0", "--data-dir", str(running.data)),
        env=home.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode != 0
    assert re.search(r"\bpid \d+|\b\d+\b", done.stderr)
    assert "Traceback" not in done.stderr
