"""The guides name only what there is: commands, options, settings, routes, files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from pc_hybrid.main import app
from promptcraft.kernel.permissions import Permission
from promptcraft.settings.model import known_names
from tools.generate_permissions import doors

ROOT = Path(__file__).resolve().parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]


def _said(guide: Path) -> str:
    """The guide's text, a command that goes on in the next line joined."""
    return guide.read_text().replace("\\\n", " ")


def commands(guide: Path) -> Iterator[str]:
    for line in _said(guide).splitlines():
        typed = [line] if line.startswith("    ") else re.findall(r"`([^`]+)`", line)
        yield from (
            re.split(r"\s+#\s|\s+<\s", one)[0].strip() for one in typed if re.match(r"\s*(\S*/)?pc-hybrid ", one)
        )


TYPED = [pytest.param(command, id=f"{guide.stem}: {command}") for guide in GUIDES for command in commands(guide)]


@pytest.mark.parametrize("typed", TYPED)
def test_command_of_a_guide_exists_with_its_options(typed):
    command = get_command(app)
    words = shlex.split(typed)[1:]
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"there is no {words[0]}"
        command = command.commands[words.pop(0)]

    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= known | {"--help"}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_settings_routes_and_permissions_of_a_guide_exist(guide):
    quoted = re.findall(r"`([^`]+)`", _said(guide))
    operations = {operation.strip("`") for operation, _ in doors()}

    settings = {one for one in quoted if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", one)} - {"NAME_FILE"}
    assert settings <= known_names()
    assert {one for one in quoted if re.fullmatch(r"(GET|POST|DELETE) /\S+", one)} <= operations
    assert {one for one in quoted if re.fullmatch(r"[a-z]+:[a-z_]+", one)} <= set(Permission)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_links_of_a_guide_lead_somewhere(guide):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", guide.read_text()) if "://" not in link]

    assert [link for link in links if not (guide.parent / link).exists()] == []
