"""Settings of the console."""

from typing import Annotated, ClassVar

from promptcraft.settings import forms
from promptcraft.settings.base import ContextSettings, Setting


class UiSettings(ContextSettings):
    """How the console looks."""

    context: ClassVar[str] = "ui"

    enable_custom_branding: Annotated[
        bool, Setting(forms.FLAG, "an organisation's own name and colours", effect=False)
    ] = False
