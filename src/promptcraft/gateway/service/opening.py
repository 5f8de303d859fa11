"""What one process asks models with."""

import base64
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from promptcraft.gateway.clients import Addresses, Endpoint, HttpProviders, Providers
from promptcraft.gateway.service.catalogue import Catalogues, Served
from promptcraft.gateway.service.grants import Grants
from promptcraft.gateway.service.listing import Listed
from promptcraft.kernel.db import Database
from promptcraft.settings import GatewaySettings

_NONCE_BYTES = 12
_OPENAI = "https://api.openai.com/v1"


class KeySeal:
    """Seals keys of providers: AES-256-GCM under HKDF-SHA256(master key), each bound to its provider."""

    def __init__(self, master_key: bytes) -> None:
        info = b"promptcraft gateway provider keys 1"
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, info).derive(master_key))

    def seal(self, org_id: UUID, provider_id: UUID, key: str) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, key.encode(), org_id.bytes + provider_id.bytes)
        return base64.b64encode(sealed).decode()

    def open(self, org_id: UUID, provider_id: UUID, sealed: str) -> str:
        raw = base64.b64decode(sealed)
        return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], org_id.bytes + provider_id.bytes).decode()


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
