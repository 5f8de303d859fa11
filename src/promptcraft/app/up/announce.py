"""What a person is told once everything answers: where it is, who may enter, what is not as it should be, what next."""

import json
from typing import Any

from promptcraft.app.up.datadir import DataDirectory
from promptcraft.app.up.terminal import Terminal


def announce(
    terminal: Terminal,
    url: str,
    place: DataDirectory,
    administrator: dict[str, Any],
    health: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Print it; `administrator` is empty but for the first start, when it holds the password for the only time."""
    warnings = warnings_of(health)
    terminal.line()
    terminal.line(f"PromptCraft-Hybrid is ready at {url} ({terminal.seconds():.1f} s)")
    terminal.line()
    terminal.fact("Data", str(place.root))
    terminal.fact("Logs", str(place.logs))
    if administrator.get("password"):
        of = f" of organisation {administrator['organization']}" if administrator.get("organization") else ""
        terminal.fact("Administrator", f"{administrator['username']}{of}")
        terminal.fact("Password", f"{administrator['password']}   (shown this once)")
    for warning in warnings:
        terminal.line()
        terminal.warning(warning)
    terminal.line()
    terminal.line(f"Stop it with Ctrl-C, or from elsewhere:  pc-hybrid down --data-dir {place.root}")
    terminal.line(f"Sign in:  pc-hybrid login --api-url {url}")
    if as_json:
        where = {"url": url, "data_dir": str(place.root), "administrator": administrator or None, "warnings": warnings}
        terminal.result(json.dumps(where))


def warnings_of(health: dict[str, Any]) -> list[str]:
    """What `/health` warns of, and the parts of the platform that it does not find."""
    parts: list[dict[str, Any]] = health.get("parts", [])
    absent = [f"{part['name']} is {part['status']}: see its log" for part in parts if part.get("status") != "ok"]
    return [*absent, *map(str, health.get("warnings", []))]
