"""Commands about this host become the platform's own program; where that is not installed they say so."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pc_hybrid
import promptcraft_sdk
from tests.cli.conftest import COMMAND, Home


def pc_hybrid_command(home: Home, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*COMMAND, *arguments), env=home.environment(), cwd=cwd, capture_output=True, text=True, check=False
    )


def test_config_validate_hands_everything_on_and_answers_with_its_exit_code(home):
    settings = home.path / "promptcraft.env"
    settings.write_text("API_PORT=many\n")

    good = pc_hybrid_command(home, "config", "validate", "--format", "json")
    bad = pc_hybrid_command(home, "config", "validate", "--settings", str(settings))

    assert good.returncode == 0
    assert json.loads(good.stdout)["ok"] is True
    assert bad.returncode == 2
    assert "API_PORT" in bad.stderr


def test_an_option_that_this_version_does_not_know_is_the_platforms_to_refuse(home):
    done = pc_hybrid_command(home, "config", "validate", "--from-the-future")

    assert done.returncode == 2
    assert "unrecognized arguments: --from-the-future" in done.stderr


def test_the_platform_is_never_taken_from_the_current_directory(home):
    impostor = home.path / "promptcraft" / "app"
    impostor.mkdir(parents=True)
    for package in (impostor.parent, impostor):
        (package / "__init__.py").touch()
    (impostor / "__main__.py").write_text("print('impostor')")

    assert "impostor" not in pc_hybrid_command(home, "config", "validate", cwd=home.path).stdout


def test_where_the_command_line_is_installed_alone_it_says_so(home):
    """-S leaves out what editable installs add: the packages of the CLI and the SDK are named instead."""
    ours = [str(Path(package.__file__).parents[1]) for package in (pc_hybrid, promptcraft_sdk)]
    program = (
        f"import sys; sys.path += {[sysconfig.get_path('purelib'), *ours]!r}\n"
        "from pc_hybrid import main; sys.argv[1:] = ['up']; main()"
    )

    done = subprocess.run(
        (sys.executable, "-S", "-P", "-c", program), env=home.environment(), capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Error: the platform is not installed here; this is the command line alone\nNext: ")
