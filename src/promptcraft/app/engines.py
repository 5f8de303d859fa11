"""The runtime driver that the settings name, with this host's directories."""

import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from promptcraft.runtime import HostPlaces, ProcessDriver, host_places
from promptcraft.settings import Settings


def places_of(settings: Settings, *, commands_only: bool) -> HostPlaces:
    """Where this host's programs, or the commands of the factory, have their files and sockets."""
    data, servers = settings.core.data_dir.absolute(), _servers(settings)
    # for a data directory too deep for sockets; never beside the embedded servers' own, which another user may own
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"promptcraft-{os.geteuid()}-{name}"
    return host_places(data, short, guarded_sockets=servers, commands_only=commands_only)


def driver_of(settings: Settings, *, commands_only: bool) -> ProcessDriver:
    """The process driver; one for commands stands beside the runtime's own, and touches no agent."""
    return ProcessDriver(
        places_of(settings, commands_only=commands_only),
        allow_unisolated=settings.runtime.runtime_allow_unisolated,
        exclusive=not commands_only,
    )


def _servers(settings: Settings) -> tuple[Path, ...]:
    """The sockets of the embedded servers, which the probe tries from inside."""
    found: list[Path] = []
    if settings.core.db_app_url:
        query = parse_qs(urlsplit(settings.core.db_app_url.get_secret_value()).query)
        found += [Path(host) / ".s.PGSQL.5432" for host in query.get("host", []) if host.startswith("/")]
    address = settings.core.redis_address
    if address and address.get_secret_value().startswith("unix://"):
        found.append(Path(urlsplit(address.get_secret_value()).path))
    return tuple(found)
