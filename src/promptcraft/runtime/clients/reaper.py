"""The last to die: ends the programs of a runtime that was killed.

bubblewrap ends with its parent, and the sandbox's process 1 with bubblewrap, but each binds itself only after it was
made: what is killed in between leaves the next one behind, and the kernel lets nobody but their ancestors signal it.
So a sandbox's process 1 stays in the process group of the bubblewrap outside, and one process, in a session of its own,
is told of every such group before there is anything in it that could stay, and kills the groups that are left when its
pipe ends, which it does with this process, however that ends.
"""

import asyncio
import os
import subprocess
from contextlib import suppress
from pathlib import Path

_SCRIPT = """
trap '' HUP INT TERM
groups=' '
while read -r change group; do
    case "$change $groups" in
        +*) groups="$groups$group " ;;
        *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"""


class Reaper:
    """Knows of the programs that run; its process is started with the first of them."""

    def __init__(self, shell: Path) -> None:
        self._shell = shell
        self._groups: set[int] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._pipe = -1
        self._starting = asyncio.Lock()

    async def watch(self, group: int) -> None:
        """From here on this process group does not outlive this process."""
        self._groups.add(group)
        async with self._starting:
            if not self._told(f"+ {group}\n"):
                await self._begin()

    def forget(self, group: int) -> None:
        """Nothing of it is left: its number may become another's."""
        self._groups.discard(group)
        self._told(f"- {group}\n")

    async def close(self) -> None:
        """End the process; it kills what was not forgotten."""
        if self._process is not None:
            os.close(self._pipe)
            await self._process.wait()
            self._process, self._pipe = None, -1

    async def _begin(self) -> None:
        await self.close()
        theirs, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                self._shell, "-c", _SCRIPT, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(theirs)
        self._told("".join(f"+ {group}\n" for group in self._groups))

    def _told(self, line: str) -> bool:
        """Whether there is a process that this was told to."""
        if self._process is not None:
            with suppress(BrokenPipeError):
                return os.write(self._pipe, line.encode()) == len(line)
        return False
