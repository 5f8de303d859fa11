"""An agent's repository, on this machine."""

import subprocess
import tempfile
from pathlib import Path
from uuid import UUID

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import next_line, plural, safe
from pc_hybrid.work import progress
from promptcraft_sdk.client import Client, api
from promptcraft_sdk.client.schemas import Revision

BRANCH = "main"
_REMOTE = "platform"


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


def fetch(terminal: Terminal, name: str, directory: Path) -> None:
    _check_clone(directory)
    with connect() as client:
        bundle = client.send(api.agent_repository(name))
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        file.write(bundle)
        file.flush()
        _git("-C", str(directory), "fetch", "--quiet", file.name, f"+refs/heads/*:refs/remotes/{_REMOTE}/*")
    missing = int(_git("-C", str(directory), "rev-list", "--count", f"{BRANCH}..{_REMOTE}/{BRANCH}"))
    result = {"name": name, "directory": str(directory.resolve()), "missing": missing}
    what = plural(missing, "commit") if missing else "nothing"
    terminal.data(result, [f"{_REMOTE}/{BRANCH} has {what} that {BRANCH} has not"])
    if missing:
        terminal.say(f"Take them:  git merge {_REMOTE}/{BRANCH}")


def push(terminal: Terminal, name: str, directory: Path, *, wait: bool, time_limit: float) -> None:
    _check_clone(directory)
    if _git("-C", str(directory), "status", "--porcelain"):
        terminal.warn("What is not committed is not sent.")
    with tempfile.NamedTemporaryFile(suffix=".bundle") as file:
        _git("-C", str(directory), "bundle", "create", "--quiet", file.name, BRANCH)
        bundle = Path(file.name).read_bytes()
    with connect() as client:
        started = client.send(api.push_agent(name, bundle))
        _follow(terminal, client, started, f"Pushing {name}", wait=wait, time_limit=time_limit)


def update(terminal: Terminal, name: str, *, wait: bool, time_limit: float) -> None:
    with connect() as client:
        started = client.send(api.update_agent(name))
        _follow(terminal, client, started, f"Updating {name}", wait=wait, time_limit=time_limit)


def follow_revision(
    terminal: Terminal, client: Client, name: str, revision_id: UUID, title: str, time_limit: float
) -> None:
    end = progress.follow(
        terminal,
        client,
        None,
        lambda: client.send(api.revision(revision_id)),
        title=title,
        what=f"the next version of {name}",
        resume=f"pc-hybrid agent watch {revision_id}",
        time_limit=time_limit,
    )
    progress.settle(terminal, end)
    version = client.send(api.agent(name)).version
    outcome = (
        f"Its newest version is {safe(version)}" if end.phase == "unchanged" else f"{name} {safe(version)} is built"
    )
    terminal.data(end, [outcome])
    if end.next_step:
        terminal.say(next_line(end.next_step))


def _follow(
    terminal: Terminal, client: Client, started: Revision, title: str, *, wait: bool, time_limit: float
) -> None:
    if wait:
        follow_revision(terminal, client, started.agent_name, started.revision_id, title, time_limit)
        return
    terminal.data(started, [f"{title}: {started.revision_id}"])
    terminal.say(f"Follow it:  pc-hybrid agent watch {started.revision_id}")


def _check_clone(directory: Path) -> None:
    if not (directory / ".git").exists():
        raise Failure(
            f"{directory} is no clone of an agent",
            exit_code=ExitCode.USAGE,
            next_step="Get one with `pc-hybrid agent clone NAME`, or name its directory.",
        )


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(("git", *arguments), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Failure("git is not installed", next_step="Install git, then try again.") from error
    if done.returncode:
        raise Failure(f"git {arguments[0]} failed: {done.stderr.strip()}", next_step="See what git says.")
    return done.stdout.strip()
