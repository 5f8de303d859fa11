"""What a context's settings are made of: a frozen model whose fields say how they are named, written and explained."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from promptcraft.settings.forms import Form


@dataclass(frozen=True, slots=True)
class Setting:
    """How one field is set from outside.

    The name is the field's in capitals, prefixed with PROMPTCRAFT_ where `ours`. `effect` is False while the context
    that will use it is not built: the value is validated all the same and `config validate` says so.
    """

    form: Form
    doc: str
    aliases: tuple[str, ...] = ()
    ours: bool = False
    effect: bool = True
    example: str = ""
    unset: str = ""

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Parse text by the form; what is not text was parsed before and is only checked for its type."""

        def read(value: object) -> object:
            return self.form.parse(value) if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(read, handler(source))

    def name_of(self, field: str) -> str:
        """Name the environment variable of a field."""
        return f"PROMPTCRAFT_{field.upper()}" if self.ours else field.upper()


class ContextSettings(BaseSettings):
    """One context's settings: frozen, and read from nowhere by itself; `load_settings` gives it what was set."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    context: ClassVar[str] = ""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the environment to `load_settings`, which knows aliases, files and near misses."""
        return (init_settings,)

    @classmethod
    def settings(cls) -> Iterator[tuple[str, Setting, Any]]:
        """Yield each field with its setting and its default."""
        for field, info in cls.model_fields.items():
            for mark in info.metadata:
                if isinstance(mark, Setting):
                    yield field, mark, info.default
