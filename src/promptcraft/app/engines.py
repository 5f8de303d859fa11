"""The runtime driver that the settings name, with this host's directories."""

import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from promptcraft.app.up.datadir import DataDirectory, read_state
from promptcraft.runtime import HostPlaces, ProcessDriver, host_places
from promptcraft.settings import Settings


def places_of(settings: Settings, *, commands_only: bool) -> HostPlaces:
    """Where this host's programs, or the commands of the factory, have their files and sockets."""
    data = settings.core.data_dir.absolute()
    state = read_state(DataDirectory(data))
    short = Path(state["sockets"]) if state.get("sockets") else Path(tempfile.gettempdir()) / f"pc-{data.name}"
    return host_places(data, short, guarded_sockets=_servers(settings), commands_only=commands_only)


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
