"""The stages of a start.

What takes long runs at the same time: the roles import while the database's files are made, and wait at a gate.
"""

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from promptcraft.app.up import postgres, valkey
from promptcraft.app.up.administrator import FirstAdministrator
from promptcraft.app.up.announce import announce
from promptcraft.app.up.binaries import postgres_binaries
from promptcraft.app.up.children import PROGRAM, Embedded, Household, Role, roles_environment
from promptcraft.app.up.datadir import DataDirectory
from promptcraft.app.up.errors import RoleFailed
from promptcraft.app.up.gate import Gate
from promptcraft.app.up.listening import address_of
from promptcraft.app.up.postgres import Postgres
from promptcraft.app.up.privileges import Unprivileged, choose
from promptcraft.app.up.probe import Probe
from promptcraft.app.up.processes import ended, reap, wait_until
from promptcraft.app.up.servers import STOP_SECONDS, await_servers, urls_of
from promptcraft.app.up.signals import pause
from promptcraft.app.up.supervisor import Child, Supervisor
from promptcraft.app.up.terminal import Terminal
from promptcraft.app.up.valkey import Valkey

_MIGRATE = Role("migrate", ("migrate",), needs_owner=True)
_BOOTSTRAP = Role("bootstrap", ("admin", "bootstrap"))
_BACKGROUND = (Role("worker", ("worker",)), Role("beat", ("beat",)), Role("runtime", ("runtime",)))
_ERRAND_SECONDS = 600
_SERVE_SECONDS = 60
_HEALTH_SECONDS = 20


@dataclass(frozen=True)
class Options:
    """What `up` was asked for."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    embedded: Embedded = Embedded()
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    json: bool = False
    demo: bool = False
    program: tuple[str, ...] = PROGRAM


@dataclass
class Start:
    """One start, its stages in order."""

    options: Options
    terminal: Terminal
    place: DataDirectory
    supervisor: Supervisor
    listener: socket.socket
    gates: dict[str, Gate] = field(default_factory=dict[str, Gate])

    def boot(self, sockets: Path) -> None:
        """Start everything and tell where it is; what fails is left to the supervisor's stop."""
        url = address_of(self.listener)
        self.terminal.line(f"Starting PromptCraft-Hybrid in {self.place.root}")
        server, broker = self._servers(sockets)
        home = self._household(server, broker)
        administrator = FirstAdministrator(self.place)
        if self.options.embedded.valkey:
            self._watch("valkey", broker.start, broker.log, valkey.STOP_SIGNAL)
        self._start_at_gate(home, self._serve_role())
        with self._errand(home, _MIGRATE, self._gate("migrate")) as migration:
            self._start_servers(server, broker)
            self.gates.pop("migrate").open()
            self._finish(home, _MIGRATE, migration)
        self.terminal.step("schema", "up to date")
        self.gates.pop("serve").open()
        self._await_ready()
        self.terminal.step("API", f"ready at {url}")
        # two processors are long busy with imports: the door came first
        for role in _BACKGROUND:
            self._watch(role.name, partial(home.start, role), home.log(role))
        if not administrator.known():
            with self._errand(home, _BOOTSTRAP, output=subprocess.PIPE) as bootstrap:
                self._finish(home, _BOOTSTRAP, bootstrap)
                administrator.printed(bootstrap, home.log(_BOOTSTRAP))
        health = self._await_health()
        if health.get("status") == "ok":
            self.terminal.step("runtime", "ready")
        untold = administrator.untold()
        announce(self.terminal, url, self.place, untold, health, as_json=self.options.json)
        administrator.told()
        if self.options.demo:
            self._demo_agent(home, url, untold)

    def _demo_agent(self, home: Household, url: str, administrator: Mapping[str, Any]) -> None:
        """Make the demo agent at the first start, by whoever just got the password; a failure is told, not fatal."""
        made = self.place.root / "demo-agent"
        if administrator.get("password"):
            # it talks to the person as `up` does, and gets the password where no process list shows it
            talk, role = self.terminal.talk.fileno(), Role("demo", ("demo", "--at", url))
            with self._errand(home, role, output=talk, errors=talk, told=json.dumps(dict(administrator))) as process:
                if self._wait_for(process) and reap(process) == 0:
                    made.touch()
        if made.exists():
            self.terminal.line('Ask the demo agent:  pc-hybrid ask "How do I stop the platform?"')
        else:
            self.terminal.line("There is no demo agent. Make your own:  pc-hybrid agent create NAME --knowledge DIR")

    def _serve_role(self) -> Role:
        handle = self.listener.fileno()
        return Role("serve", ("serve", "--roles", "api", "--listen-fd", str(handle)), inherited=(handle,))

    def _servers(self, sockets: Path) -> tuple[Postgres, Valkey]:
        way = Unprivileged("not needed")
        if self.options.embedded.postgres or self.options.embedded.valkey:
            way = choose(self.place, postgres_binaries() / "initdb")
            way.give(sockets)
        self.terminal.moment(f"servers run {way.description}")
        return Postgres(self.place, sockets, way), Valkey(self.place, sockets, way)

    def _household(self, server: Postgres, broker: Valkey) -> Household:
        urls = urls_of(server, broker)
        address: tuple[str, int] = self.listener.getsockname()[:2]
        given, embedded = self.options.environment, self.options.embedded
        return Household(
            self.place, roles_environment(self.place, given, urls, embedded, address), self.options.program
        )

    def _start_servers(self, server: Postgres, broker: Valkey) -> None:
        """Bring PostgreSQL up, made before if it is the first time, and wait for both."""
        embedded, fresh = self.options.embedded, not server.exists()
        if embedded.postgres:
            if fresh:
                server.initialise(pause)
                self.terminal.moment("PostgreSQL's files are made")
            self._watch("postgres", server.start, server.log, postgres.STOP_SIGNAL)
        processes = {name: child.process for name, child in self.supervisor.children.items()}
        await_servers(server, processes.get("postgres"), broker, processes.get("valkey"), pause)
        self.terminal.moment("servers take connections")
        if embedded.postgres:
            # psycopg is a quarter of a second of imports, which a start that is refused need not pay
            from promptcraft.app.up.databases import prepare_roles

            prepare_roles(server)
        named = "PostgreSQL 18 and Valkey 9" if embedded == Embedded() else "as the settings name it"
        self.terminal.step("database", f"{named}, files made" if fresh and embedded.postgres else named)

    def _watch(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        log: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.supervisor.add(Child(name, start(), start, log, stop_signal, STOP_SECONDS))
        self.terminal.moment(f"{name} started")

    def _gate(self, name: str) -> Gate:
        gate = self.gates[name] = Gate.make()
        return gate

    def _start_at_gate(self, home: Household, role: Role) -> None:
        process = home.start(role, self._gate(role.name))
        self.supervisor.add(Child(role.name, process, partial(home.start, role), home.log(role)))
        self.terminal.moment(f"{role.name} started, behind its gate")

    @contextmanager
    def _errand(
        self,
        home: Household,
        role: Role,
        gate: Gate | None = None,
        output: int | None = None,
        errors: int | None = None,
        told: str = "",
    ) -> Generator[subprocess.Popen[bytes]]:
        """A process that ends by itself, and is ended when the start is given up."""
        process = home.start(role, gate, output, errors, told)
        try:
            yield process
        finally:
            reap(process)

    def _finish(self, home: Household, role: Role, process: subprocess.Popen[bytes]) -> None:
        if not self._wait_for(process):
            raise RoleFailed(f"{role.name} did not end within {_ERRAND_SECONDS} s", next_step=f"See {home.log(role)}")
        if reap(process) != 0:
            self.terminal.tail(home.log(role))
            raise RoleFailed(f"{role.name} failed", next_step=f"See {home.log(role)}")
        self.terminal.moment(f"{role.name} done")

    def _wait_for(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for an errand while what has begun to serve is kept alive."""

        def done() -> bool:
            if not self.gates:
                self.supervisor.mend()
            return ended(process)

        return wait_until(done, _ERRAND_SECONDS, pause)

    def _await_ready(self) -> None:
        serve, log = self.supervisor.children["serve"], self.place.logs / "serve.log"
        probe = Probe(self.listener.getsockname()[:2], "/health/ready")

        def ready() -> bool:
            if ended(serve.process):
                self.terminal.tail(log)
                raise RoleFailed("the API did not start", next_step=f"See {log}")
            self.supervisor.mend()
            return probe.status() == HTTPStatus.OK

        if not wait_until(ready, _SERVE_SECONDS, pause):
            self.terminal.tail(log)
            raise RoleFailed(f"the API was not ready after {_SERVE_SECONDS} s", next_step=f"See {self.place.logs}")
        probe.close()

    def _await_health(self) -> dict[str, Any]:
        """What `/health` says once every part is there, or at the end of the patience."""
        probe = Probe(self.listener.getsockname()[:2], "/health")
        health: dict[str, Any] = {}

        def well() -> bool:
            self.supervisor.mend()
            if answer := probe.answer():
                health.update(answer[1])
            return health.get("status") == "ok"

        wait_until(well, _HEALTH_SECONDS, pause)
        probe.close()
        return health
