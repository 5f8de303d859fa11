"""All that can be said about the code without starting the platform: `make check`. Runs everything, then fails once."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv" / "bin"


def _run(*command: str) -> tuple[bool, str]:
    program, *arguments = command
    run = subprocess.run(
        [VENV / program, *arguments], cwd=ROOT, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return run.returncode == 0, run.stdout


def _command(*command: str) -> Callable[[], tuple[bool, str]]:
    return lambda: _run(*command)


def _tree() -> dict[str, bytes]:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return {name: (ROOT / name).read_bytes() for name in names if name and (ROOT / name).is_file()}


def generated_files() -> tuple[bool, str]:
    """Runs every generator and says which files were not what it writes; they are right afterwards."""
    before = _tree()
    for generator in sorted((ROOT / "tools").glob("generate_*.py")):
        worked, said = _run("python", "-m", f"tools.{generator.stem}")
        if not worked:
            return False, said
    after = _tree()
    stale = sorted(name for name in after if after[name] != before.get(name))
    return not stale, "".join(f"{name} was stale; it is up to date now, commit it\n" for name in stale)


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "lint": _command("ruff", "check", "--quiet", "."),
    "format": _command("ruff", "format", "--check", "--quiet", "."),
    "imports": _command("lint-imports", "--no-cache"),
    "budget": _command("python", "tools/budget.py"),
    "types": _command("basedpyright"),
    "dependencies of the server": _command("deptry", "src"),
    "dependencies of the SDK": _command("deptry", "sdk/src", "--config", "sdk/pyproject.toml"),
    "dependencies of the CLI": _command("deptry", "cli/src", "--config", "cli/pyproject.toml"),
    "generated files": generated_files,
    "architecture": _command("python", "-m", "pytest", "-q", "-n", "2", "tests/architecture"),
}
# What these say is worth reading when all is well, too.
TALKATIVE = ("budget",)


def main() -> int:
    failed: list[str] = []
    for name, check in CHECKS.items():
        started = time.monotonic()
        passed, said = check()
        print(f"  {'✓' if passed else '✗'} {name:<28}{time.monotonic() - started:7.1f} s", flush=True)
        if not passed or name in TALKATIVE:
            print("".join(f"      {line}\n" for line in said.rstrip().splitlines()), end="", flush=True)
        if not passed:
            failed.append(name)
    print(f"Failed: {', '.join(failed)}" if failed else "All checks pass")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
