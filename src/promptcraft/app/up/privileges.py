"""How the servers run without privileges when root started the platform.

PostgreSQL refuses to run as root, and it is right. A plain user needs nothing. For root there are two ways, neither of
which changes the mode or owner of anything outside the data directory: a helper user, where it can reach the wheel and
the data directory as they are; else a user namespace that maps root to nobody, which keeps the files root's and leaves
the process no capability.
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptcraft.app.up.datadir import DataDirectory
from promptcraft.app.up.errors import DataDirectoryRefused, NoUnprivilegedWay
from promptcraft.app.up.processes import Account

HELPER_USER = "promptcraft"
_NOBODY = 65534
# initdb and postgres look the mapped uid up: it must be one that the host knows, as nobody is
_NAMESPACE = ("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--")


@dataclass(frozen=True, slots=True)
class Unprivileged:
    """What goes in front of a server's command, and the account it runs under."""

    description: str
    prefix: tuple[str, ...] = ()
    account: Account | None = None

    def give(self, path: Path) -> None:
        """Make a fresh file or directory of ours the server's."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)


def choose(place: DataDirectory, program: Path, helper: str = HELPER_USER) -> Unprivileged:
    """The way for this host and data directory; an existing cluster keeps the owner that it has.

    Raises NoUnprivilegedWay when root started us and the host offers none.
    """
    if os.geteuid() != 0:
        return Unprivileged("as the user who started it")
    owner = place.postgres.stat().st_uid if place.postgres.exists() else None
    if owner == 0:
        return _in_namespace(program)
    if owner is not None:
        return _of_owner(place, owner)
    try:
        entry = pwd.getpwnam(helper)
    except KeyError:
        return _in_namespace(program)
    if not _reaches(entry, place.root.parent, program):
        return _in_namespace(program)
    return _as_helper(place, entry)


def _of_owner(place: DataDirectory, owner: int) -> Unprivileged:
    try:
        return _as_helper(place, pwd.getpwuid(owner))
    except KeyError:
        raise DataDirectoryRefused(
            f"the database in {place.postgres} belongs to uid {owner}, which this host does not know",
            next_step=f"Create that user again, or `chown -R root: {place.postgres} {place.valkey}`.",
        ) from None


def _as_helper(place: DataDirectory, entry: pwd.struct_passwd) -> Unprivileged:
    # the helper has to pass through the data directory to its own folders, and may not list or write it
    os.chown(place.root, os.geteuid(), entry.pw_gid)
    place.root.chmod(0o710)
    way = Unprivileged(f"as user {entry.pw_name}", account=Account(entry.pw_uid, entry.pw_gid))
    for path in (place.valkey, *place.valkey.rglob("*")):
        way.give(path)
    return way


def _in_namespace(program: Path) -> Unprivileged:
    try:
        pwd.getpwuid(_NOBODY)
        works = _succeeds([*_NAMESPACE, str(program), "--version"])
    except KeyError:
        works = False
    if not works:
        raise NoUnprivilegedWay(
            "PostgreSQL refuses to run as root, and this host forbids user namespaces",
            next_step="Run the command as a plain user, or name an outside PostgreSQL with ANALYTICS_DB_URL.",
        )
    return Unprivileged("in a user namespace, as nobody", prefix=_NAMESPACE)


def _reaches(entry: pwd.struct_passwd, directory: Path, program: Path) -> bool:
    account = Account(entry.pw_uid, entry.pw_gid)
    return _succeeds(["test", "-x", str(directory)], account) and _succeeds([str(program), "--version"], account)


def _succeeds(argv: Sequence[str], account: Account | None = None) -> bool:
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError:
        return False
    return done.returncode == 0
