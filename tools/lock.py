"""Write requirements/*.txt: every package the house installs, pinned by hash, without the address it came from.

Run by `make lock`, after a change of dependencies in a pyproject.toml.
"""

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("pc-hybrid", "promptcraft-hybrid", "promptcraft-sdk")
# The gate of the factory runs these on a new agent, so they belong to the agents' environment.
GATE = ("bandit", "mypy", "pytest", "ruff")
# What packages ask for and we do not use: of the one only the weights in it are read, of the other no download.
NEVER = ("sentence-transformers", "huggingface-hub")


def _project(path: str) -> dict[str, list[str]]:
    """The lists of requirements of one pyproject.toml by name: "" is what it always needs."""
    document = tomllib.loads((ROOT / path / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    groups = {f"group {name}": needed for name, needed in document.get("dependency-groups", {}).items()}
    return {"": project["dependencies"], **project.get("optional-dependencies", {}), **groups}


def _from_index(requirements: Iterable[str]) -> list[str]:
    return sorted({one for one in requirements if not one.startswith(OURS)})


def _compile(uv: str, lock: Path, requirements: list[str], *options: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as never:
        never.write("\n".join(NEVER))
        never.flush()
        subprocess.run(
            [
                *(uv, "pip", "compile", "-", "--output-file", str(lock), "--quiet"),
                *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--no-header"),
                *("--universal", "--python-version", "3.11", "--no-annotate", "--excludes", never.name),
                *options,
            ],
            input="\n".join(requirements),
            text=True,
            check=True,
            cwd=ROOT,
        )
    lock.write_text("# Written by tools/lock.py (`make lock`): do not edit.\n" + lock.read_text(encoding="utf-8"))


def _all_of(sdk: dict[str, list[str]]) -> list[str]:
    return [*sdk[""], *sdk["agent"], *sdk["dense"]]


def main() -> None:
    uv, *upgrade = sys.argv[1:]
    server, sdk, cli = _project("."), _project("sdk"), _project("cli")
    everything = [*server[""], *server["embedded"], *server["group dev"], *_all_of(sdk), *cli[""]]
    platform = ROOT / "requirements" / "platform.txt"
    _compile(uv, platform, _from_index(everything), *upgrade)
    gate = [one for one in server["group dev"] if one.startswith(GATE) and not one.startswith("pytest-")]
    agent = ROOT / "requirements" / "agent.txt"
    _compile(uv, agent, _from_index([*_all_of(sdk), *gate]), "--constraints", str(platform), *upgrade)


if __name__ == "__main__":
    main()
