"""Turns what was set into settings, or into every reason why not."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from promptcraft.settings.base import Setting
from promptcraft.settings.core import default_data_dir
from promptcraft.settings.model import MODELS, SETTINGS_FILE, Settings, every_setting
from promptcraft.settings.problems import Problem, Refusal, SettingsError, shape
from promptcraft.settings.rules import broken
from promptcraft.settings.sources import Collected, collect


def load_settings(environ: Mapping[str, str] | None = None, file: Path | None = None) -> Settings:
    """Read the settings from the environment and a settings file.

    `environ` defaults to the process's own, `file` to the one that PROMPTCRAFT_SETTINGS names, if any; the environment
    wins over the file. Raises SettingsError with every problem at once.
    """
    settings, problems = read_settings(environ, file)
    if problems:
        raise SettingsError(problems)
    return settings


def read_settings(environ: Mapping[str, str] | None, file: Path | None) -> tuple[Settings, list[Problem]]:
    """Read what can be read and list what cannot: a refused setting keeps its default in what is returned."""
    environ = os.environ if environ is None else environ
    if file is None and (named := environ.get(SETTINGS_FILE, "").strip()):
        file = Path(named).expanduser()
    collected = collect(environ, file)
    fields: dict[str, dict[str, Any]] = {attribute: {} for attribute in MODELS}
    fields["core"]["data_dir"] = default_data_dir(environ.get("XDG_DATA_HOME", ""))
    given: set[str] = set()
    refused: set[str] = set()
    for attribute, field, setting, _ in every_setting():
        name = setting.name_of(field)
        texts = {each: collected.values[each] for each in (name, *setting.aliases) if each in collected.values}
        try:
            if texts:
                fields[attribute][field] = _parsed(setting, texts)
                given.add(name)
        except SettingsError as error:
            collected.problems.extend(error.problems)
            refused.add(name)
    contexts: dict[str, Any] = {attribute: model(**fields[attribute]) for attribute, model in MODELS.items()}
    settings = Settings(
        **contexts,
        given=frozenset(given),
        warnings=_warnings(collected, given),
    )
    return settings, [*collected.problems, *broken(settings, refused)]


def _parsed(setting: Setting, texts: dict[str, str]) -> object:
    problems: list[Problem] = []
    values: dict[str, object] = {}
    for name, text in texts.items():
        try:
            values[name] = setting.form.parse(text)
        except Refusal as refusal:
            problems.append(Problem(name, refusal.problem, refusal.fix, given=shape(text)))
    first, *others = values or [""]
    for other in others:
        if values[other] != values[first]:
            problems.append(Problem(other, f"is another name of {first} and disagrees with it", "keep one of the two"))
    if problems:
        raise SettingsError(problems)
    return values[first]


def _warnings(collected: Collected, given: set[str]) -> tuple[str, ...]:
    own = ("JWT_SECRET is accepted and not used: tokens are signed by keys that the platform generates.",)
    return (*collected.warnings, *(own if "JWT_SECRET" in given else ()))


def plain(value: SecretStr | None) -> str | None:
    """Open a secret at the place where it is used."""
    return value.get_secret_value() if value else None
