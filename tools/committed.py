"""Files that are generated and committed: written anew, or compared with what is committed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def keep(files: Mapping[Path, Callable[[], str]], command: str, arguments: Sequence[str]) -> int:
    """Write each file from what makes its text; with `--check` only compare, and return 1 where one is out of date."""
    stale = False
    for path, make in files.items():
        text = make()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is out of date: run `python -m {command}`")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(stale and "--check" in arguments)
