"""What the CLI takes from the environment, which nothing else in it reads, and --context, which goes over that."""

import os
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

_context_option: ContextVar[str | None] = ContextVar("context_option", default=None)


@dataclass(frozen=True, slots=True)
class Environment:
    """PCH_CONTEXT: the context to use. PCH_API_URL: the platform to talk to. PCH_TOKEN: an API key or an access token
    to use instead of the stored credentials. PCH_CONFIG_DIR: where credentials are stored. `..._from` is the variable
    that says so, if any."""

    context: str
    api_url: str
    token: str
    config_dir: Path
    config_dir_from: str
    colour_wanted: bool
    colour_from: str


def choose_context(name: str | None) -> None:
    """What --context says, for the command that runs now."""
    _context_option.set(name)


def context_option() -> str | None:
    return _context_option.get()


def completing() -> bool:
    """Whether a shell asks for what could be typed, and no command is meant."""
    return "_PC_HYBRID_COMPLETE" in os.environ


def read() -> Environment:
    variables = os.environ
    place = variables.get("PCH_CONFIG_DIR", "")
    return Environment(
        context=variables.get("PCH_CONTEXT", "").strip(),
        api_url=variables.get("PCH_API_URL", "").rstrip("/"),
        token=variables.get("PCH_TOKEN", "").strip(),
        config_dir=Path(place) if place else _usual_place(variables.get("XDG_CONFIG_HOME", "")),
        config_dir_from="PCH_CONFIG_DIR" if place else "XDG_CONFIG_HOME" if variables.get("XDG_CONFIG_HOME") else "",
        colour_from="NO_COLOR" if variables.get("NO_COLOR") else "TERM" if variables.get("TERM") == "dumb" else "",
        colour_wanted=not variables.get("NO_COLOR") and variables.get("TERM") != "dumb",
    )


def _usual_place(xdg_config_home: str) -> Path:
    """The XDG specification has relative paths ignored."""
    config = Path(xdg_config_home)
    return (config if config.is_absolute() else Path.home() / ".config") / "promptcraft"
