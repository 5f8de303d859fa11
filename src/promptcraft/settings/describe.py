"""Every setting as documentation shows it: what `.env.example` and the reference page are generated from."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticUndefined

from promptcraft.settings.base import Setting
from promptcraft.settings.model import MODELS, SETTINGS_FILE, UNUSED, every_setting


@dataclass(frozen=True, slots=True)
class Description:
    """One setting; `default` is what holds where it is not set, in words."""

    name: str
    context: str
    type: str
    default: str
    secret: bool
    effect: bool
    doc: str
    aliases: tuple[str, ...] = ()
    example: str = ""


def describe() -> tuple[Description, ...]:
    """Describe every setting, context by context."""
    file = Description(
        SETTINGS_FILE,
        "kernel",
        "a path",
        "none",
        secret=False,
        effect=True,
        doc="settings file",
    )
    return (file, *(_describe(MODELS[each[0]].context, *each[1:]) for each in every_setting()))


def describe_unused() -> dict[str, str]:
    """Give the names that are accepted and mean nothing here, with the reason."""
    return dict(UNUSED)


def _describe(context: str, field: str, setting: Setting, default: Any) -> Description:
    return Description(
        name=setting.name_of(field),
        context=context,
        type=setting.form.text,
        default=setting.unset or _default(default),
        secret=setting.form.secret,
        effect=setting.effect,
        doc=setting.doc,
        aliases=setting.aliases,
        example=setting.example,
    )


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "INFO"
    return str(value)
