"""The platform's own processes: what each is started with, and what it may know.

A role gets an environment made for it. Passwords are in files of the data directory that the environment names, so that
none shows in /proc, and what makes one the database's owner is handed to `migrate` alone. What a settings file holds,
every role reads.
"""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from promptcraft.app.up.datadir import DataDirectory, open_log, write_private
from promptcraft.app.up.gate import Gate
from promptcraft.app.up.processes import spawn
from promptcraft.app.up.servers import Urls

# -P: a module in the working directory must not take the place of one of ours
PROGRAM = (sys.executable, "-P", "-m", "promptcraft.app")
# without the host, which is no secret: a settings file may hold the rest of the address, and is refused without it
_OWNER_ONLY = frozenset({"ANALYTICS_DB_URL", "POSTGRES_URL"}) | {
    f"ANALYTICS_DB_{part}" for part in ("PORT", "NAME", "USER", "PASSWORD")
}
_ADDRESS_FILES = {
    "ANALYTICS_DB_URL": "url-db-owner",
    "PROMPTCRAFT_DB_APP_URL": "url-db-app",
    "PROMPTCRAFT_DB_SYSTEM_URL": "url-db-system",
    "PROMPTCRAFT_DB_DIRECT_URL": "url-db-direct",
    "REDIS_URL": "url-valkey",
}


@dataclass(frozen=True, slots=True)
class Embedded:
    """Which of the two servers this host runs itself."""

    postgres: bool = True
    valkey: bool = True


@dataclass(frozen=True, slots=True)
class Role:
    """One process of the platform."""

    name: str
    arguments: tuple[str, ...]
    needs_owner: bool = False
    inherited: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Household:
    """What every role of this supervisor is started with."""

    place: DataDirectory
    environment: Mapping[str, str] = field(repr=False)
    program: tuple[str, ...] = PROGRAM

    def log(self, role: Role) -> Path:
        return self.place.logs / f"{role.name}.log"

    def start(
        self,
        role: Role,
        gate: Gate | None = None,
        output: int | None = None,
        errors: int | None = None,
        told: str = "",
    ) -> subprocess.Popen[bytes]:
        """Start a role; with a gate it imports what it needs and waits there; `told` is what it reads.

        What it prints goes into its log, but where `output` or `errors` name a descriptor.
        """
        waiting: Sequence[str] = ("--gate", str(gate.inner)) if gate else ()
        inherited = (*role.inherited, *((gate.inner,) if gate else ()))
        with open_log(self.log(role)) as log:
            child = spawn(
                [*self.program, *role.arguments, *waiting],
                # not SIGTERM: whoever kills the supervisor wants nothing to go on, and a lease outlives its holder
                death_signal=signal.SIGKILL,
                output=log if output is None else output,
                errors=log if errors is None else errors,
                environment=self._known_to(role),
                directory=self.place.root,
                stdin=subprocess.PIPE if told else subprocess.DEVNULL,
                inherited=inherited,
            )
        if child.stdin:
            with suppress(BrokenPipeError), child.stdin as reader:
                reader.write(told.encode())
        if gate:
            gate.given()
        return child

    def _known_to(self, role: Role) -> Mapping[str, str]:
        hidden = frozenset[str]() if role.needs_owner else _OWNER_ONLY
        return {name: value for name, value in self.environment.items() if name.removesuffix("_FILE") not in hidden}


def address_files(place: DataDirectory) -> dict[str, str]:
    """The settings that name the embedded servers to whoever works with them on this host, but as their owner."""
    files = {f"{name}_FILE": place.secrets / file for name, file in _ADDRESS_FILES.items() if name not in _OWNER_ONLY}
    return {name: str(path) for name, path in files.items() if path.exists()}


def roles_environment(
    place: DataDirectory, given: Mapping[str, str], urls: Urls, embedded: Embedded, address: tuple[str, int]
) -> Mapping[str, str]:
    """Write the addresses of the embedded servers into private files and make the roles' environment.

    `given` is what the person set: the settings, and the few variables that any program needs.
    """
    environment = dict(given)
    environment["PROMPTCRAFT_DATA_DIR"] = str(place.root)
    environment["PROMPTCRAFT_HOST"], environment["PROMPTCRAFT_PORT"] = address[0], str(address[1])
    if "PROMPTCRAFT_MASTER_KEY" not in given:
        environment.setdefault("PROMPTCRAFT_MASTER_KEY_FILE", str(place.secrets / "master.key"))
    addresses: dict[str, str] = {}
    if embedded.postgres:
        addresses["ANALYTICS_DB_URL"] = urls.owner
        addresses["PROMPTCRAFT_DB_APP_URL"] = urls.app
        addresses["PROMPTCRAFT_DB_SYSTEM_URL"] = urls.system
        addresses["PROMPTCRAFT_DB_DIRECT_URL"] = urls.system
    if embedded.valkey:
        addresses["REDIS_URL"] = urls.redis
    for name, text in addresses.items():
        path = place.secrets / _ADDRESS_FILES[name]
        write_private(path, text + "\n")
        environment[f"{name}_FILE"] = str(path)
    return environment
