"""What one process asks models with."""

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from promptcraft.gateway.clients import Addresses, Endpoint, HttpProviders, Providers
from promptcraft.gateway.service.catalogue import Catalogues, Served
from promptcraft.gateway.service.grants import Grants
from promptcraft.gateway.service.listing import Listed
from promptcraft.kernel.db import Database
from promptcraft.kernel.sealing import Seal
from promptcraft.settings import GatewaySettings

_OPENAI = "https://api.openai.com/v1"


class KeySeal:
    """Seals keys of providers, each bound to its provider."""

    def __init__(self, master_key: bytes) -> None:
        self._seal = Seal(master_key, b"promptcraft gateway provider keys 1")

    def seal(self, org_id: UUID, provider_id: UUID, key: str) -> str:
        return base64.b64encode(self._seal.close(key.encode(), org_id.bytes + provider_id.bytes)).decode()

    def open(self, org_id: UUID, provider_id: UUID, sealed: str) -> str:
        return self._seal.open(base64.b64decode(sealed), org_id.bytes + provider_id.bytes).decode()


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway in one process."""

    db: Database
    providers: Providers
    addresses: Addresses
    seal: KeySeal = field(repr=False)
    grants: Grants = field(repr=False)
    catalogues: Catalogues = field(repr=False)
    listed: Listed = field(default_factory=Listed, repr=False)

    async def close(self) -> None:
        await self.providers.close()


def open_gateway(db: Database, settings: GatewaySettings, *, master_key: bytes) -> Gateway:
    """Put the parts together; nothing is read or connected before it is needed."""
    seal = KeySeal(master_key)
    private = [ipaddress.ip_network(network) for network in settings.model_private_networks]
    addresses = Addresses(private)
    return Gateway(
        db, HttpProviders(addresses), addresses, seal, Grants(master_key), Catalogues(seal.open, _given(settings))
    )


def _given(settings: GatewaySettings) -> Sequence[Served]:
    """The providers that the platform's settings name, in the order in which they are asked."""
    found: list[Served] = []
    if settings.azure_openai_endpoint and settings.azure_openai_api_key:
        key = settings.azure_openai_api_key.get_secret_value()
        found.append(Served("azure", Endpoint("azure", settings.azure_openai_endpoint, key, trusted=True)))
    if settings.openai_base_url or settings.openai_api_key:
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
        found.append(Served("openai", Endpoint("openai", settings.openai_base_url or _OPENAI, key, trusted=True)))
    return found
