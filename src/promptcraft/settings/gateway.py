"""Settings of gateway: the providers of models."""

from typing import Annotated, ClassVar

from pydantic import SecretStr

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


class GatewaySettings(ContextSettings):
    """The models that the platform may ask."""

    context: ClassVar[str] = "gateway"

    azure_openai_endpoint: Annotated[
        str | None,
        Setting(addresses.WEB, "first provider of models", unset="extractive answers, no key needed"),
    ] = None
    azure_openai_api_key: Annotated[SecretStr | None, Setting(forms.SECRET, "its key")] = None
    openai_base_url: Annotated[
        str | None, Setting(addresses.WEB, "any provider with the same interface", unset="OpenAI, where a key is set")
    ] = None
    openai_api_key: Annotated[SecretStr | None, Setting(forms.SECRET, "its key")] = None
    model_private_networks: Annotated[
        tuple[str, ...],
        Setting(
            forms.NETWORKS,
            "private networks in which providers that organisations name themselves may be",
            ours=True,
            unset="none: only public addresses",
        ),
    ] = ()
