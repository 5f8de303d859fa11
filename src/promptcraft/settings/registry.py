"""Settings of registry: admission of MCP servers."""

from typing import Annotated, ClassVar

from pydantic import SecretStr

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


class RegistrySettings(ContextSettings):
    """Which MCP servers are let in."""

    context: ClassVar[str] = "registry"

    mcp_registry_url: Annotated[
        str | None, Setting(addresses.WEB, "our registry's address as clients see it", effect=False)
    ] = None
    mcp_validation_strict: Annotated[
        bool,
        Setting(
            forms.FLAG,
            "refuse a server with a finding above low instead of asking for approval",
            aliases=("VALIDATION_STRICT",),
            effect=False,
        ),
    ] = True
    github_token: Annotated[
        SecretStr | None, Setting(forms.SECRET, "credential of the GitHub MCP server's entry", effect=False)
    ] = None
