"""The drivers of a process: where programs run on this host, and what they are kept away from."""

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from promptcraft.runtime import HostPlaces, ProcessDriver, host_places
from promptcraft.settings import Settings


def runtime_places(settings: Settings) -> HostPlaces:
    """Where this host's runtime works."""
    return _places(settings, commands_only=False)


def runtime_driver(settings: Settings) -> ProcessDriver:
    """The driver of the runtime process: the parent of this host's agents."""
    return ProcessDriver(runtime_places(settings), allow_unisolated=settings.runtime.runtime_allow_unisolated)


def command_driver(settings: Settings) -> ProcessDriver:
    """A driver for commands in isolation, and for reading what agents printed; any process may have one."""
    return ProcessDriver(
        _places(settings, commands_only=True),
        allow_unisolated=settings.runtime.runtime_allow_unisolated,
        exclusive=False,
    )


def _places(settings: Settings, *, commands_only: bool) -> HostPlaces:
    data = settings.core.data_dir.absolute()
    sockets = tuple(_platform_sockets(settings))
    # A data directory may be too deep for sockets; this name is this platform's own and stays the same.
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    short = sockets[0].parent if sockets else Path(tempfile.gettempdir(), f"promptcraft-{os.geteuid()}-{name}")
    return host_places(data, short, guarded_sockets=sockets, commands_only=commands_only)


def _platform_sockets(settings: Settings) -> list[Path]:
    """The UNIX sockets of PostgreSQL and Valkey that this host has; none where they are elsewhere."""
    found: list[Path] = []
    if (database := settings.core.db_app_url) is not None:
        url = make_url(database.get_secret_value())
        host = url.query.get("host", url.host)
        if isinstance(host, str) and host.startswith("/"):
            found.append(Path(host) / f".s.PGSQL.{url.port or 5432}")
    if (redis := settings.core.redis_address) is not None:
        parts = urlsplit(redis.get_secret_value())
        if parts.scheme == "unix":
            found.append(Path(parts.path))
    return found
