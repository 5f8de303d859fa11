"""Every failure ends with a message, the next step and an exit code that a script can act on; never a traceback."""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from pc_hybrid.refusals import failure_of
from promptcraft_sdk.client import TimedOut
from tests.cli.conftest import COMMAND
from tests.sdk_client.troubled_server import break_off, data, problem, raw, reset

AGENTS = "GET /api/v4/admin/agents"


def test_where_nobody_listens_the_command_that_starts_it_is_named(run):
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        ended = run("agent", "list", PCH_API_URL=url, PCH_TOKEN="session")

    assert ended.exit_code == 1
    assert ended.talk == f"Error: cannot reach {url}: connection refused\nTry:  pc-hybrid up\n(exit 1)\n"


def test_who_is_not_signed_in_is_told_how(run):
    ended = run("agent", "list")

    assert ended == (
        4,
        "",
        "Error: you are not signed in to http://127.0.0.1:8000\nTry:  pc-hybrid login\n(exit 4)\n",
    )


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [(400, 2), (401, 4), (403, 7), (404, 3), (409, 5), (413, 2), (422, 2), (429, 7), (500, 1), (503, 1), (504, 6)],
)
def test_each_kind_of_refusal_has_its_exit_code(run, signed_in, status, exit_code):
    signed_in.on(AGENTS, problem(status, detail="It does not go.", next_step="Do something else."))
    signed_in.on("POST /auth/token", problem(status, detail="It does not go.", next_step="Do something else."))

    ended = run("agent", "list")

    assert ended.exit_code == exit_code
    assert ended.data == ""
    assert ended.talk == (f"Error: It does not go.\nNext: Do something else.\nrequest req-1  (exit {exit_code})\n")


def test_each_wrong_field_is_named_with_what_is_wrong(run, signed_in):
    signed_in.on(
        AGENTS,
        problem(
            422,
            detail='agent name "Tax" is not usable',
            next_step="pc-hybrid agent create tax",
            errors=[
                {"pointer": "/agent_spec/name", "detail": "must match ^[a-z][a-z0-9_]{2,40}$"},
                {"pointer": "/agent_spec/capabilities/0", "detail": "has no letters"},
            ],
        ),
    )

    assert run("agent", "list").talk == snapshot("""\
Error: agent name "Tax" is not usable
  /agent_spec/name            must match ^[a-z][a-z0-9_]{2,40}$
  /agent_spec/capabilities/0  has no letters
Try:  pc-hybrid agent create tax
request req-1  (exit 2)
""")


@pytest.mark.parametrize("answer", [raw(b"", 500), raw(b"<h1>oops</h1>", 502), reset, break_off, raw(b"hello")])
def test_a_server_in_trouble_is_a_message_and_exit_1(run, signed_in, answer):
    signed_in.on(AGENTS, answer)

    ended = run("agent", "list")

    assert (ended.exit_code, ended.data) == (1, "")
    assert re.fullmatch(r"Error: .+\n((Try: |Next:) .+\n)?\(exit 1\)\n", ended.talk)


def test_an_answer_that_takes_too_long_is_exit_6():
    failure = failure_of(TimedOut("http://127.0.0.1:8000", 45))

    assert failure.exit_code == 6
    assert failure.what == "http://127.0.0.1:8000 did not answer within 45 s"


@pytest.mark.parametrize(
    "arguments",
    [
        ["agnt"],
        ["agent", "lst"],
        ["agent", "list", "--no-such-option"],
        ["agent", "list", "-o", "xml"],
        ["feedback", "019ab2c4", "6"],
        ["feedback", "019ab2c4", "much"],
        ["ask"],
        ["audit", "list", "--since", "yesterday"],
        ["agent", "watch", "not-an-id"],
        ["login", "--password", "secret"],
        ["login", "--api-url", "ftp://host"],
        ["login", "--api-url", "http://ada:pw@127.0.0.1"],
    ],
)
def test_what_cannot_be_meant_is_exit_2_and_asks_nothing_of_the_platform(run, signed_in, arguments):
    ended = run(*arguments)

    assert (ended.exit_code, ended.data) == (2, "")
    assert "Error: " in ended.talk
    assert signed_in.asked == []


def test_a_mistyped_command_is_guessed(run):
    assert "Did you mean 'list'?" in run("agent", "lst").talk


def test_text_from_the_platform_cannot_play_with_the_terminal(run, signed_in):
    nasty = "\x1b]0;owned\x07 \x1b[2J \u202egnp.exe \x9b31m \x7f"
    signed_in.on(AGENTS, problem(409, detail=nasty, next_step=nasty, errors=[{"pointer": nasty, "detail": nasty}]))

    talk = run("agent", "list").talk

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", talk)
    assert "\\x1b]0;owned\\x07" in talk


def test_debug_writes_a_file_that_only_its_owner_reads_and_that_holds_no_secret(run, signed_in, tmp_path):
    signed_in.on(AGENTS, problem(500))

    ended = run("agent", "list", "--debug", TMPDIR=str(tmp_path))

    file = Path(re.findall(r"^Debug file: (.+)$", ended.talk, re.MULTILINE)[0])
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Traceback" in file.read_text()
    assert "GET" in file.read_text()
    assert "token-1" not in file.read_text()


def test_data_that_cannot_be_written_is_said(run, signed_in):
    signed_in.on(AGENTS, data([]))

    ended = run("agent", "list", "--output-file", "no/such/place")

    assert (ended.exit_code, ended.data) == (1, "")
    assert "cannot write no/such/place: No such file or directory" in ended.talk


def test_a_reader_that_leaves_early_is_no_failure_worth_a_word(home, signed_in):
    agent = {"domain": "d", "status": "running", "version": "1", "created_at": "2026-01-01T00:00:00Z"}
    signed_in.on(AGENTS, data([{"name": f"agent_{number}", **agent} for number in range(5_000)]))
    command = subprocess.Popen(
        (*COMMAND, "agent", "list"), env=home.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    command.stdout.readline()
    command.stdout.close()

    assert command.stderr.read() == ""
    command.stderr.close()
    assert command.wait() in (0, 1)


def test_json_is_the_platforms_data_with_what_this_version_does_not_know(run, signed_in):
    agents = [
        {
            "name": "tax_advisor",
            "domain": "finance",
            "status": "running",
            "version": "1",
            "created_at": "2026-11-23T14:05:36.123456Z",
            "new": {"deep": [1, None]},
        }
    ]
    signed_in.on(AGENTS, data(agents))

    assert json.loads(run("agent", "list", "-o", "json").data) == agents
    assert json.loads(run("agent", "list", "--format", "json").data) == agents


def test_an_argument_that_is_no_text_is_exit_2(run, signed_in):
    ended = run("ask", "What is \udcff?")

    assert (ended.exit_code, signed_in.asked) == (2, [])
    assert "is not written in UTF-8" in ended.talk


def test_a_terminal_that_cannot_show_a_letter_gets_a_question_mark(home, signed_in):
    signed_in.on(AGENTS, problem(409, detail="Größe → 世界"))

    done = subprocess.run(
        (*COMMAND, "agent", "list"), env=home.environment(PYTHONIOENCODING="latin-1"), capture_output=True, check=False
    )

    assert done.returncode == 5
    assert done.stderr.decode("latin-1").startswith("Error: Größe ? ??\n")
