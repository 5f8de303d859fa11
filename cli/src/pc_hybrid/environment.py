"""What the CLI takes from the environment; nothing else in it reads the environment."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Environment:
    """PCH_API_URL: the platform to talk to. PCH_TOKEN: an API key or an access token to use instead of the stored
    credentials. PCH_CONFIG_DIR: where credentials are stored."""

    api_url: str
    token: str
    config_dir: Path
    colour_wanted: bool


def read() -> Environment:
    variables = os.environ
    place = variables.get("PCH_CONFIG_DIR", "")
    return Environment(
        api_url=variables.get("PCH_API_URL", "").rstrip("/"),
        token=variables.get("PCH_TOKEN", "").strip(),
        config_dir=Path(place) if place else _usual_place(variables.get("XDG_CONFIG_HOME", "")),
        colour_wanted=not variables.get("NO_COLOR") and variables.get("TERM") != "dumb",
    )


def _usual_place(xdg_config_home: str) -> Path:
    """The XDG specification has relative paths ignored."""
    config = Path(xdg_config_home)
    return (config if config.is_absolute() else Path.home() / ".config") / "promptcraft"
