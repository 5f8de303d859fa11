"""How a command on the host reaches the platform that runs there."""

from pathlib import Path

from promptcraft.app.up.children import address_files
from promptcraft.app.up.datadir import DataDirectory, lock_holder
from promptcraft.app.up.errors import NotRunning
from promptcraft.settings import Settings, load_settings
from promptcraft.settings.handover import handed_over


def settings_here(data_dir: Path | None) -> Settings:
    """The settings that the platform's own processes have: of the servers that `up` runs here, or of those named.

    Raises NotRunning where the servers would be this host's own and do not run, SettingsError.
    """
    settings = load_settings()
    if settings.core.owner_url is not None or settings.core.db_app_url is not None:
        return settings
    place = DataDirectory((data_dir or settings.core.data_dir).expanduser().absolute())
    if lock_holder(place) is None:
        raise NotRunning(
            f"Nothing is running on {place.root}", next_step="Start it with `pc-hybrid up`, or name its --data-dir."
        )
    ours = {"PROMPTCRAFT_DATA_DIR": str(place.root), **address_files(place)}
    if "PROMPTCRAFT_MASTER_KEY" not in settings.given:
        ours["PROMPTCRAFT_MASTER_KEY_FILE"] = str(place.secrets / "master.key")
    return load_settings({**ours, **handed_over()})
