"""An agent's repository, by the git of the host, with none of anybody's configuration."""

import asyncio
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from tempfile import mkdtemp

from promptcraft.agents.errors import GitFailed

BRANCH = "main"
# What the factory makes of the spec, the template and the sources alone; merged into main, never worked on.
TEMPLATE_BRANCH = "factory/template"
_SECONDS = 60.0
_MOST_HUNKS = 5
_LONGEST_HUNK = 20
# The kernel ends git with the process that started it.
_WITH_US = ("setpriv", "--pdeathsig", "KILL")
_PLAIN = ("-c", "core.bare=false", "-c", "core.autocrlf=false")


@dataclass(frozen=True, slots=True)
class Merged:
    """The tree of a merge; where `conflicts` are named in words, their files hold both sides between marks."""

    tree: str
    files: tuple[str, ...]
    conflicts: tuple[str, ...]


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
        await self._git(None, f"--git-dir={work}", "branch", TEMPLATE_BRANCH)
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

    async def tip(self, branch: str = BRANCH) -> str:
        """The newest commit of a branch. Raises GitFailed where there is no such branch."""
        return (await self._at("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")).strip()

    async def tree_of(self, commit: str) -> str:
        """The tree of a commit. Raises GitFailed."""
        return (await self._at("rev-parse", "--verify", f"{commit}^{{tree}}")).strip()

    async def holds(self, commit: str, other: str) -> bool:
        """Whether `other` is in the history of `commit`, which every commit is in its own. Raises GitFailed."""
        common = await self._git(None, f"--git-dir={self.path}", "merge-base", commit, other, fine=(0, 1))
        return common.decode().strip() == other

    async def write_tree(self, files: Path) -> str:
        """Put everything in `files` into the repository, on no branch yet; returns the tree. Raises GitFailed."""
        index = files.with_name(f"{files.name}.index")
        await asyncio.to_thread(index.unlink, missing_ok=True)
        of_index = {"GIT_INDEX_FILE": str(index)}
        inside = (f"--git-dir={self.path}", f"--work-tree={files}", *_PLAIN)
        await self._git(of_index, *inside, "add", "--all", "--force", ".")
        return (await self._git(of_index, *inside, "write-tree")).decode().strip()

    async def record(self, tree: str, parents: Sequence[str], message: str, at: datetime) -> str:
        """A commit of a tree, on no branch yet: the same of everything is the same commit. Raises GitFailed."""
        of_parents = [word for parent in parents for word in ("-p", parent)]
        words = ("commit-tree", tree, *of_parents, "-m", message)
        return (await self._git(self._identity(at), f"--git-dir={self.path}", *words)).decode().strip()

    async def advance(self, branch: str, commit: str, before: str) -> bool:
        """Move a branch from `before` to `commit`; False where it is at neither of them. Raises GitFailed."""
        tip = await self.tip(branch)
        if tip == before:
            await self._at("update-ref", f"refs/heads/{branch}", commit, before)
        return tip in (before, commit)

    async def take_over(self, other: Path, commit: str) -> None:
        """Have the objects of a commit that stands at main of another repository. Raises GitFailed."""
        refused = await self._at("ls-remote", str(other), f"refs/heads/{BRANCH}")
        if not refused.startswith(commit):
            raise GitFailed(f"{commit} is not what was to be taken over.")
        await self._at("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", str(other), BRANCH)

    async def merge(self, ours: str, theirs: str) -> Merged:
        """What a merge of two commits would hold, by git's own rules, renames included. Raises GitFailed."""
        words = ("merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
        output = await self._git(None, f"--git-dir={self.path}", *words, fine=(0, 1))
        tree, files, messages = _read_merge(output)
        hunks = [await self._hunks(tree, file) for file in files]
        return Merged(tree, tuple(files), tuple([*messages, *(hunk for hunk in hunks if hunk)]))

    async def _hunks(self, tree: str, file: str) -> str:
        """The conflicting lines of one merged file, with their numbers; empty where it is gone or no text."""
        content = await self._git(None, f"--git-dir={self.path}", "cat-file", "blob", f"{tree}:{file}", fine=(0, 128))
        lines = content.decode(errors="replace").splitlines()
        starts = [at for at, line in enumerate(lines) if line.startswith("<<<<<<< ")]
        shown: list[str] = []
        for start in starts[:_MOST_HUNKS]:
            end = next((at for at in range(start, len(lines)) if lines[at].startswith(">>>>>>> ")), start)
            shown.append(
                "\n".join([f"{file}:{start + 1}-{end + 1}", *lines[start : min(end + 1, start + _LONGEST_HUNK)]])
            )
        return "\n".join(shown)

    async def _at(self, *arguments: str) -> str:
        return (await self._git(None, f"--git-dir={self.path}", *arguments)).decode()

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
        branches = ("HEAD", BRANCH, TEMPLATE_BRANCH)
        return await self._git(None, f"--git-dir={self.path}", "bundle", "create", "--quiet", "-", *branches)

    def _identity(self, at: datetime) -> dict[str, str]:
        name, mail = parseaddr(self.author)
        moment = f"{int(at.timestamp())} +0000"
        return {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", mail), ("DATE", moment))
        }

    async def _git(self, variables: dict[str, str] | None, *arguments: str, fine: Collection[int] = (0,)) -> bytes:
        return await run_git(*arguments, variables=variables, fine=fine)


async def run_git(
    *arguments: str,
    variables: dict[str, str] | None = None,
    prefix: Sequence[str] = (),
    fine: Collection[int] = (0,),
) -> bytes:
    """What git prints, with none of anybody's configuration. Raises GitFailed unless its exit code is `fine`."""
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
            *_WITH_US, *prefix, "git", *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
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
    if process.returncode not in fine:
        raise GitFailed(f"git: {errors.decode(errors='replace').strip()[:1000]}")
    return output


def _read_merge(output: bytes) -> tuple[str, list[str], list[str]]:
    """The tree, the files in conflict and what git says of them, of `merge-tree -z --messages`."""
    tree, *fields = output.decode(errors="replace").split("\0")
    end = fields.index("") if "" in fields else len(fields)
    files = list(dict.fromkeys(field.partition("\t")[2] for field in fields[:end]))
    said, at = list[str](), end + 1
    while at < len(fields) and fields[at].isdigit():
        at += int(fields[at]) + 1  # a count, so many paths, the kind, the message
        kind, message = fields[at], fields[at + 1].strip()
        said += [message] if kind.startswith("CONFLICT") else []
        at += 2
    return tree, files, said


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
