"""PostgreSQL and Valkey together, and nothing of the platform: what tests and tools start."""

import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from promptcraft.app.up import databases, datadir, postgres, valkey
from promptcraft.app.up.binaries import postgres_binaries
from promptcraft.app.up.errors import ServerFailed
from promptcraft.app.up.leftovers import clear_leftovers
from promptcraft.app.up.postgres import SUPERUSER, Postgres
from promptcraft.app.up.privileges import HELPER_USER, choose
from promptcraft.app.up.processes import Pause, identify, stop, wait_until
from promptcraft.app.up.sockets import socket_directory
from promptcraft.app.up.valkey import Valkey

READY_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the servers are, passwords included: SQLAlchemy's form for the roles, redis-py's for Valkey."""

    owner: str
    app: str
    system: str
    redis: str
    superuser: str


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """Two running servers."""

    postgres: Postgres
    valkey: Valkey
    postgres_process: subprocess.Popen[bytes]
    valkey_process: subprocess.Popen[bytes]

    @property
    def urls(self) -> Urls:
        return urls_of(self.postgres, self.valkey)

    def new_database(self, name: str, template: str = "template0") -> Urls:
        """Make a database of the owner's, a copy of `template` (which nobody may be connected to), and say where."""
        databases.make_database(self.postgres, name, template)
        return urls_of(self.postgres, self.valkey, name)

    def drop_database(self, name: str) -> None:
        databases.drop_database(self.postgres, name)


def urls_of(server: Postgres, broker: Valkey, database: str = databases.DATABASE) -> Urls:
    return Urls(
        owner=server.url(databases.OWNER, "db-owner", database),
        app=server.url(databases.APP, "db-app", database),
        system=server.url(databases.SYSTEM, "db-system", database),
        redis=broker.url(),
        superuser=server.url(SUPERUSER, "db-superuser", database),
    )


@contextmanager
def embedded_servers(
    data_dir: Path,
    *,
    fsync: bool = True,
    helper_user: str = HELPER_USER,
    environment: Mapping[str, str] | None = None,
) -> Generator[EmbeddedServers]:
    """Both servers on `data_dir`, ready, with the roles and an empty database `promptcraft`, until the block ends.

    With `fsync=False` they are quicker and lose data in a power cut: for tests. `environment` is added to PostgreSQL's.
    Must be called from the main thread.
    Raises AlreadyRunning, DataDirectoryRefused, NoUnprivilegedWay, ServerFailed.
    """
    with ExitStack() as cleanup:
        place = datadir.claim(data_dir)
        cleanup.enter_context(datadir.locked(place))
        datadir.furnish(place)
        clear_leftovers(place)
        sockets = cleanup.enter_context(socket_directory())
        way = choose(place, postgres_binaries() / "initdb", helper_user)
        way.give(sockets)
        broker = Valkey(place, sockets, way, fsync)
        server = Postgres(place, sockets, way, fsync, environment or {})

        broker_process = broker.start()
        cleanup.callback(stop, broker_process, valkey.STOP_SIGNAL, STOP_SECONDS)
        _remember(place, sockets, valkey=broker_process)
        if not server.exists():
            server.initialise(time.sleep)
        server_process = server.start()
        cleanup.callback(stop, server_process, postgres.STOP_SIGNAL, STOP_SECONDS)
        _remember(place, sockets, postgres=server_process, valkey=broker_process)
        await_servers(server, server_process, broker, broker_process)
        databases.prepare_roles(server)
        yield EmbeddedServers(server, broker, server_process, broker_process)


def await_servers(
    server: Postgres,
    server_process: subprocess.Popen[bytes] | None,
    broker: Valkey,
    broker_process: subprocess.Popen[bytes] | None,
    pause: Pause = time.sleep,
) -> None:
    """Wait until those that were started take connections; raises ServerFailed with the log to read."""

    def both() -> bool:
        return (broker_process is None or broker.ready(broker_process)) and (
            server_process is None or server.ready(server_process)
        )

    if not wait_until(both, READY_SECONDS, pause):
        raise ServerFailed(
            f"the embedded servers were not ready after {READY_SECONDS} s",
            next_step=f"See {server.log} and {broker.log}",
        )


def _remember(place: datadir.DataDirectory, sockets: Path, **children: subprocess.Popen[bytes]) -> None:
    found = {name: identify(child.pid) for name, child in children.items()}
    alive = {name: {"pid": who.pid, "started": who.started} for name, who in found.items() if who}
    datadir.write_state(place, {"sockets": str(sockets), "children": alive})
