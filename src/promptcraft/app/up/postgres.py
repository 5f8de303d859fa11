"""The embedded PostgreSQL: made with passwords for everybody, reached by one UNIX socket and no TCP port."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptcraft.app.up.binaries import postgres_binaries
from promptcraft.app.up.datadir import DataDirectory, open_log, write_private
from promptcraft.app.up.errors import ServerFailed
from promptcraft.app.up.privileges import Unprivileged
from promptcraft.app.up.processes import Pause, ended, reap, spawn, wait_until

SUPERUSER = "postgres"
MAJOR = "18"
# SIGINT disconnects the clients and shuts down cleanly; SIGTERM would wait for them to leave
STOP_SIGNAL = signal.SIGINT
_STAGING = "postgres.new-"
_INITDB_SECONDS = 120
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

_INITDB_OPTIONS = (
    "--auth-local=scram-sha-256",
    "--auth-host=scram-sha-256",
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    # independent of the host's locale and C library: no index goes bad when those are upgraded
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
)
_SERVER_OPTIONS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "wal_level": "logical",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # an error's statement may hold personal data or a password: the message alone is logged
    "log_min_error_statement": "panic",
}
# for tests only: nothing survives a power cut
_UNSAFE_OPTIONS: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster in a data directory and the socket directory it serves in; `environment` is the server's own."""

    place: DataDirectory
    sockets: Path
    way: Unprivileged
    fsync: bool = True
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def log(self) -> Path:
        return self.place.logs / "postgres.log"

    def exists(self) -> bool:
        """Whether the cluster was made; raises ServerFailed when another major version made it."""
        try:
            made_by = (self.place.postgres / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return False
        if made_by != MAJOR:
            raise ServerFailed(
                f"the database in {self.place.postgres} was made by PostgreSQL {made_by}, and this is {MAJOR}",
                next_step="Dump it with the version of the platform that made it, and restore it into a new directory.",
            )
        return True

    def initialise(self, pause: Pause) -> None:
        """Make the cluster beside its place and move it there whole: a crash half-way leaves no half cluster."""
        for leftover in self.place.root.glob(f"{_STAGING}*"):
            # a killed start's last child may still be writing there: the rest of it goes at the next start
            shutil.rmtree(leftover, ignore_errors=True)
        staging = self.place.root / f"{_STAGING}{secrets.token_hex(4)}"
        staging.mkdir(mode=0o700)
        self.way.give(staging)
        password_file = self.sockets / "password"
        write_private(password_file, self.place.secret("db-superuser") + "\n")
        self.way.give(password_file)
        try:
            self._run_initdb(staging, password_file, pause)
        finally:
            password_file.unlink()
        if self.fsync:
            self._run(["sync", "-f", str(staging)], pause)
        staging.rename(self.place.postgres)

    def _run_initdb(self, staging: Path, password_file: Path, pause: Pause) -> None:
        program = str(postgres_binaries() / "initdb")
        target = [f"--pgdata={staging}", f"--pwfile={password_file}"]
        self._run([*self.way.prefix, program, *target, *_INITDB_OPTIONS], pause)

    def _run(self, argv: list[str], pause: Pause) -> None:
        with open_log(self.log) as output:
            child = spawn(
                argv,
                death_signal=signal.SIGKILL,
                output=output,
                environment=_ENVIRONMENT,
                directory=self.sockets,
                account=self.way.account,
            )
        try:
            wait_until(lambda: ended(child), _INITDB_SECONDS, pause)
        finally:
            status = reap(child)
        if status != 0:
            raise ServerFailed("PostgreSQL's files could not be made", next_step=f"See {self.log}")

    def start(self) -> subprocess.Popen[bytes]:
        options = dict(_SERVER_OPTIONS) | ({} if self.fsync else dict(_UNSAFE_OPTIONS))
        options["unix_socket_directories"] = str(self.sockets)
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        program = str(postgres_binaries() / "postgres")
        with open_log(self.log) as output:
            return spawn(
                [*self.way.prefix, program, "-D", str(self.place.postgres), *settings],
                death_signal=STOP_SIGNAL,
                output=output,
                environment={**_ENVIRONMENT, **self.environment},
                directory=self.sockets,
                account=self.way.account,
            )

    def ready(self, child: subprocess.Popen[bytes]) -> bool:
        """Whether this very server says that it takes connections; raises ServerFailed when it has ended."""
        if ended(child):
            raise ServerFailed("PostgreSQL did not start", next_step=f"See {self.log}")
        try:
            lines = (self.place.postgres / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(child.pid) and lines[7].strip() == "ready"

    def url(self, role: str, secret: str, database: str = "promptcraft") -> str:
        """The address of a database as SQLAlchemy writes it, password included."""
        return f"postgresql+psycopg://{role}:{self.place.secret(secret)}@/{database}?host={self.sockets}"
