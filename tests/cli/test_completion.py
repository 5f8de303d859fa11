"""completion: what bash itself offers after the script is read, and that the other shells get one too."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "pc-hybrid"
# What bash does when the tab key is pressed: it fills COMP_WORDS and calls the function that is registered.
_PRESS_TAB = """
eval "$(pc-hybrid completion bash)"
complete -p pc-hybrid >/dev/null || exit 9
COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
"$(complete -p pc-hybrid | sed 's/.*-F \\([^ ]*\\).*/\\1/')" pc-hybrid
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def offered(home, words: str) -> set[str]:
    environment = home.environment(PATH=f"{PROGRAM.parent}:/usr/bin:/bin")
    program = _PRESS_TAB.format(words=words)
    done = subprocess.run(["bash", "-c", program], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "some"),
    [
        ('pc-hybrid ""', {"agent", "ask", "context", "doctor", "execution", "login", "org"}),
        ("pc-hybrid exec", {"execution"}),
        ('pc-hybrid context ""', {"add", "list", "remove", "use"}),
        ("pc-hybrid agent list --out", {"--output", "--output-file"}),
        ('pc-hybrid agent list -o ""', {"table", "json", "yaml", "csv"}),
    ],
)
def test_bash_offers_what_can_be_typed(home, words, some):
    found = offered(home, words)

    assert some <= found
    assert "create-agent" not in found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(run, shell):
    script = run("completion", shell).data

    assert "pc-hybrid" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("protocol", "environment"),
    [
        ("complete_zsh", {"_TYPER_COMPLETE_ARGS": "pc-hybrid context "}),
        ("complete_fish", {"_TYPER_COMPLETE_ARGS": "pc-hybrid context ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_the_other_shells_are_answered_too(home, protocol, environment):
    asked = home.environment(_PC_HYBRID_COMPLETE=protocol, **environment)

    done = subprocess.run([PROGRAM], env=asked, capture_output=True, text=True, check=False)

    assert "remove" in done.stdout
