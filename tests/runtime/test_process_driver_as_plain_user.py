"""The same contract and the same walls when a plain user starts the platform: for root, these tests become one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_PLAIN = 61_234  # no account has it
_ROOT = Path(__file__).parents[2]


def _as_plain(*argv: str) -> list[str]:
    return ["setpriv", f"--reuid={_PLAIN}", f"--regid={_PLAIN}", "--clear-groups", "--", *argv]


@pytest.mark.skipif(os.geteuid() != 0, reason="the other module's tests already run as a plain user")
def test_plain_user_gets_the_same_walls(short_directory: Path):
    if subprocess.run(_as_plain(sys.executable, "-c", "import promptcraft"), check=False, cwd="/").returncode:
        pytest.skip("a plain user can read neither this environment nor this checkout")
    short_directory.chmod(0o755)
    (short_directory / "tests" / "runtime").mkdir(parents=True)
    for module in ("conftest.py", "programs.py", "driver_contract.py", "test_process_driver.py"):
        shutil.copy(_ROOT / "tests" / "runtime" / module, short_directory / "tests" / "runtime")
    home = short_directory / "home"
    home.mkdir()
    os.chown(home, _PLAIN, _PLAIN)

    pytest_here = [sys.executable, "-m", "pytest", "-q", "-rN", "-p", "no:cacheprovider", "-p", "no:randomly"]
    places = ["-c", str(_ROOT / "pyproject.toml"), f"--rootdir={short_directory}", f"--basetemp={home}/t"]
    done = subprocess.run(
        _as_plain(*pytest_here, *places, "tests/runtime/test_process_driver.py"),
        cwd=short_directory,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert int(done.stdout.rstrip().rpartition("\n")[2].split()[0]) > 20, done.stdout
