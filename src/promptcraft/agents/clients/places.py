"""Where the factory keeps what, below the data directory. Names are ids, so that nothing a person wrote is a path."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from promptcraft_sdk.configuration import CALIBRATION, VECTORS

_FOR_ALL = 0o755
_FILE_FOR_ALL = 0o644


@dataclass(frozen=True, slots=True)
class Places:
    """Directories of the factory; none is made before it is needed."""

    data: Path

    def upload(self, org_id: UUID, sha256: str) -> Path:
        return self.data / "knowledge" / str(org_id) / sha256

    def incoming(self, upload_id: UUID) -> Path:
        """Where an upload is unpacked before it is known to be good."""
        return self.data / "workspaces" / f"upload-{upload_id}"

    def incoming_uploads(self) -> list[Path]:
        """Every upload that is being unpacked, or was when its process ended."""
        return list((self.data / "workspaces").glob("upload-*"))

    def workspace(self, job_id: UUID) -> Path:
        return self.data / "workspaces" / str(job_id)

    def vectors_lock(self) -> Path:
        """Held by whoever makes vectors on this host."""
        return self.data / "vectors.lock"

    def agent(self, org_id: UUID, agent_id: UUID) -> Path:
        return self.data / "agents" / str(org_id) / str(agent_id)

    def repository(self, org_id: UUID, agent_id: UUID) -> Path:
        return self.agent(org_id, agent_id) / "repository.git"

    def version(self, org_id: UUID, agent_id: UUID, number: int) -> Path:
        return self.agent(org_id, agent_id) / "versions" / str(number)


def remove(path: Path) -> None:
    """Remove a directory and all below it; one that is not there is no error."""
    shutil.rmtree(path, ignore_errors=False) if path.exists() else None


def open_to_agents(directory: Path) -> None:
    """Let the agent's own user read its version; the directories above stay closed, it sees them through a mount."""
    directory.chmod(_FOR_ALL)
    for path in directory.rglob("*"):
        if not path.is_symlink():
            path.chmod(_FOR_ALL if path.is_dir() else _FILE_FOR_ALL)


def tree_sha256(directory: Path) -> str:
    """One hash of every file's path and content, but for what the platform adds to a version's index: no code."""
    whole = hashlib.sha256()
    grown = (directory / VECTORS, directory / CALIBRATION)
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        if any(path.is_relative_to(one) for one in grown):
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(directory).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()


def put_into(version: Path, made: Path, inside: Path) -> None:
    """Copy a file or directory to the place `inside` a version, readable for agents, whole or not at all.

    What was there is replaced. Raises FileNotFoundError where the version is gone.
    """
    staged = version.with_name(f"{version.name}.{inside.name}.new")
    place = version / inside
    if made.is_dir():
        remove(staged)
        shutil.copytree(made, staged)
        open_to_agents(staged)
        remove(place)
        staged.rename(place)
    else:
        shutil.copyfile(made, staged)
        staged.chmod(_FILE_FOR_ALL)
        staged.replace(place)
