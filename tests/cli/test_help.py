"""--help: the same as in the reference, for every command, and quick because the client is not imported for it."""

import argparse
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pc_hybrid.main import app
from promptcraft.app.up import add_arguments, add_down_arguments
from tools import generate_cli

PAGES = dict(generate_cli.pages())
HEAVY = {"httpx", "rich", "promptcraft_sdk", "promptcraft"}


def test_the_committed_reference_is_what_the_commands_say():
    assert generate_cli.REFERENCE.read_text() == generate_cli.reference()


@pytest.mark.parametrize("command", PAGES)
def test_every_command_prints_the_help_of_the_reference(command):
    shown = CliRunner().invoke(app, [*command.split()[1:], "--help"], prog_name="pc-hybrid", env={"COLUMNS": "80"})

    assert (shown.exit_code, shown.output.strip()) == (0, PAGES[command].strip())
    assert f"```text\n{PAGES[command].strip()}\n```" in generate_cli.REFERENCE.read_text()


@pytest.mark.parametrize("alias", ["configure", "create-agent"])
def test_the_aliases_work_and_are_not_listed(alias):
    assert CliRunner().invoke(app, [alias, "--help"]).exit_code == 0
    assert alias not in PAGES["pc-hybrid"]


@pytest.mark.parametrize("arguments", [["--help"], ["agent", "create", "--help"], ["up", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    program = (
        "import sys; from pc_hybrid import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try: main()\n"
        "finally: print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert HEAVY & set(done.stderr.split()) == set()


@pytest.mark.parametrize(("command", "add"), [("up", add_arguments), ("down", add_down_arguments)])
def test_help_of_a_command_about_the_host_names_what_the_platform_understands(command, add):
    parser = argparse.ArgumentParser(add_help=False)
    add(parser)

    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            assert action.option_strings[-1] in PAGES[f"pc-hybrid {command}"]
