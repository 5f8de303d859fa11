"""An agent's repository, by the git of the host, with none of anybody's configuration."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from tempfile import mkdtemp

from promptcraft.agents.errors import GitFailed

BRANCH = "main"
_SECONDS = 60.0
# The kernel ends git with the process that started it.
_WITH_US = ("setpriv", "--pdeathsig", "KILL")
_PLAIN = ("-c", "core.bare=false", "-c", "core.autocrlf=false")


@dataclass(frozen=True, slots=True)
class Repository:
    """A bare repository at `path`; `author` is "Name <mail>"."""

    path: Path
    author: str

    async def publish(self, tree: Path, message: str, at: datetime) -> str:
        """Make the repository anew with one commit of everything in `tree`; returns the commit.

        The same tree, message and time are the same commit, so doing it again changes nothing. Raises GitFailed.
        """
        work = await asyncio.to_thread(_room_beside, self.path) / "new"
        await self._git(None, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(work))
        inside = (f"--git-dir={work}", f"--work-tree={tree}", *_PLAIN)
        await self._git(None, *inside, "add", "--all", "--force", ".")
        await self._git(self._identity(at), *inside, "commit", "--quiet", "--no-verify", "--message", message)
        commit = (await self._git(None, f"--git-dir={work}", "rev-parse", BRANCH)).decode().strip()
        await asyncio.to_thread(_replace, work, self.path)
        return commit

    async def extend(self, parent: str, tree: Path, paths: Sequence[Path], message: str, at: datetime) -> str | None:
        """Add a commit of `paths` below `tree` to the branch; returns it, or None where that has left `parent` behind.

        The same files, message and time are the same commit, so doing it again changes nothing. Raises GitFailed.
        """
        tip = (await self._git(None, f"--git-dir={self.path}", "rev-parse", BRANCH)).decode().strip()
        room = await asyncio.to_thread(_room_beside, self.path)
        inside = (f"--git-dir={self.path}", f"--work-tree={tree}", *_PLAIN)
        of_index = {"GIT_INDEX_FILE": str(room / "index")}
        await self._git(of_index, *inside, "read-tree", parent)
        await self._git(of_index, *inside, "add", "--force", "--", *(str(path) for path in paths))
        written = (await self._git(of_index, *inside, "write-tree")).decode().strip()
        await asyncio.to_thread(shutil.rmtree, room)
        commit = ("commit-tree", written, "-p", parent, "-m", message)
        made = (await self._git(self._identity(at), f"--git-dir={self.path}", *commit)).decode().strip()
        if tip == parent:
            await self._git(None, f"--git-dir={self.path}", "update-ref", f"refs/heads/{BRANCH}", made, parent)
        return made if tip in (parent, made) else None

    async def check_out(self, commit: str, target: Path) -> None:
        """Write the commit's files to `target`, whole or not at all. Raises GitFailed."""
        room = await asyncio.to_thread(_room_beside, target)
        partial = room / "new"
        await asyncio.to_thread(partial.mkdir)
        inside = (f"--git-dir={self.path}", f"--work-tree={partial}", *_PLAIN)
        checkout = ("checkout", "--quiet", "--force", commit, "--", ".")
        await self._git({"GIT_INDEX_FILE": str(room / "index")}, *inside, *checkout)
        await asyncio.to_thread(_replace, partial, target)

    async def bundle(self) -> bytes:
        """The whole repository as one file that `git clone` takes. Raises GitFailed."""
        return await self._git(None, f"--git-dir={self.path}", "bundle", "create", "--quiet", "-", "HEAD", BRANCH)

    def _identity(self, at: datetime) -> dict[str, str]:
        name, mail = parseaddr(self.author)
        moment = f"{int(at.timestamp())} +0000"
        return {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", mail), ("DATE", moment))
        }

    async def _git(self, variables: dict[str, str] | None, *arguments: str) -> bytes:
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            # Another user's directory is refused by git unless it is called safe; the data directory is ours.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            **(variables or {}),
        }
        try:
            process = await asyncio.create_subprocess_exec(
                *_WITH_US, "git", *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except FileNotFoundError:
            raise GitFailed("git or setpriv is not installed on the platform's host.") from None
        try:
            output, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
        except TimeoutError:
            raise GitFailed(f"git did not end within {_SECONDS:g} s.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise GitFailed(f"git: {errors.decode(errors='replace').strip()[:1000]}")
        return output


def _room_beside(place: Path) -> Path:
    """A new directory that nobody else writes to, on the same disk; what killed attempts left is removed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{place.name}.new-"
    for left in place.parent.glob(prefix + "*"):
        shutil.rmtree(left)
    return Path(mkdtemp(prefix=prefix, dir=place.parent))


def _replace(made: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    made.rename(target)
    shutil.rmtree(made.parent)
