"""The repository as a stranger gets it: what git would hand over."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MADE_HERE = {".git", ".venv", ".tools", "__pycache__", ".ruff_cache", ".pytest_cache", ".import_linter_cache"}


def files() -> list[str]:
    """Names of all files that are, or are about to be, in the repository."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(listing, cwd=ROOT, capture_output=True, check=False)
    if run.returncode == 0:
        names = run.stdout.decode().split("\0")
    else:
        names = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
    return sorted(
        name for name in names if name and (ROOT / name).is_file() and not MADE_HERE.intersection(name.split("/"))
    )


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")
