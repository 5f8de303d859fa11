"""An agent's repository, on this machine."""

import subprocess
import tempfile
from pathlib import Path

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from promptcraft_sdk.client import api

BRANCH = "main"


def clone(terminal: Terminal, name: str, directory: Path | None) -> None:
    target = directory or Path(name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Failure(
            f"{target} exists and is not empty",
            exit_code=ExitCode.CONFLICT,
            next_step=f"pc-hybrid agent clone {name} DIR",
        )
    with connect() as client:
        bundle = client.send(api.agent_repository(name))
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        file.write(bundle)
        file.flush()
        _git("clone", "--quiet", "--branch", BRANCH, "--", file.name, str(target))
    # The bundle is gone: a remote that names it could only confuse.
    _git("-C", str(target), "remote", "remove", "origin")
    commit = _git("-C", str(target), "rev-parse", "HEAD")
    result = {"name": name, "directory": str(target.resolve()), "branch": BRANCH, "commit": commit}
    terminal.data(result, [f"{name} is in {target}, at {commit[:7]} on {BRANCH}"])


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Failure("git is not installed", next_step="Install git, then try again.") from error
    if done.returncode:
        raise Failure(f"git {arguments[0]} failed: {done.stderr.strip()}", next_step="See what git says.")
    return done.stdout.strip()
