"""Providers that speak the OpenAI API over HTTP: any base URL, and Azure with its own path and header.

Azure: "Azure OpenAI in Microsoft Foundry Models v1 API" (`/openai/v1`, header `api-key`), and the older data plane by
deployment (`/openai/deployments/NAME/...?api-version=`) where an `api_version` is named.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from urllib.parse import quote, urlsplit

import httpx
import orjson

from promptcraft.gateway.clients.addresses import Addresses, AddressRefused
from promptcraft.gateway.schemas import Kind
from promptcraft.kernel.http import http_client

_CONNECTIONS = 1_000
_KEEP_ALIVE_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_LIST_SECONDS = 10.0
_LARGEST_LIST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider is and how it knows us. `trusted` ones the platform's own settings name, wherever they are."""

    kind: Kind
    base_url: str
    key: str = field(repr=False)
    api_version: str | None = None
    trusted: bool = False

    def address(self, operation: str, model: str) -> str:
        """The URL of an operation, such as `chat/completions`."""
        if self.kind == "openai":
            return f"{self.base_url}/{operation}"
        if self.api_version is None:
            return f"{self.base_url}/openai/v1/{operation}"
        within = f"deployments/{quote(model, safe='')}/" if model else ""
        return f"{self.base_url}/openai/{within}{operation}?api-version={quote(self.api_version, safe='')}"

    def headers(self) -> dict[str, str]:
        if self.kind == "azure":
            return {"api-key": self.key}
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


class ProviderGone(Exception):
    """No answer, or no more of it; `timed_out` where the provider was silent for too long."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Answering:
    """An answer whose body is still to be read. `parts` raises ProviderGone where it breaks off."""

    status: int
    streamed: bool
    retry_after: str
    parts: AsyncIterator[bytes]


class Providers(Protocol):
    """The providers of models, each by its endpoint."""

    def chat(
        self, endpoint: Endpoint, model: str, body: bytes, silence_seconds: float
    ) -> AbstractAsyncContextManager[Answering]:
        """Ask for a chat completion; leaving the context ends the provider's work. Raises ProviderGone."""
        ...

    async def models(self, endpoint: Endpoint) -> tuple[str, ...]:
        """The models that the provider itself lists. Raises ProviderGone."""
        ...

    async def close(self) -> None: ...


class HttpProviders:
    """One pool of connections for all providers, so that a call waits for no handshake twice."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._client = http_client(connections=_CONNECTIONS, keepalive_seconds=_KEEP_ALIVE_SECONDS)

    @asynccontextmanager
    async def chat(
        self, endpoint: Endpoint, model: str, body: bytes, silence_seconds: float
    ) -> AsyncGenerator[Answering]:
        address = endpoint.address("chat/completions", model)
        async with self._asked(endpoint, "POST", address, body, silence_seconds) as response:
            yield Answering(
                status=response.status_code,
                streamed=response.headers.get("content-type", "").startswith("text/event-stream"),
                retry_after=response.headers.get("retry-after", ""),
                parts=_parts(response),
            )

    async def models(self, endpoint: Endpoint) -> tuple[str, ...]:
        content = bytearray()
        async with self._asked(endpoint, "GET", endpoint.address("models", ""), None, _LIST_SECONDS) as response:
            async for part in _parts(response):
                content += part
                if len(content) > _LARGEST_LIST:
                    raise ProviderGone("Its list of models is too long.")
        if not response.is_success:
            raise ProviderGone(f"It answered HTTP {response.status_code} when asked for its models.")
        return _names(bytes(content))

    async def close(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def _asked(
        self, endpoint: Endpoint, method: str, address: str, body: bytes | None, silence_seconds: float
    ) -> AsyncGenerator[httpx.Response]:
        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json", **endpoint.headers()}
        extensions: dict[str, Any] = {}
        if not endpoint.trusted:
            address, headers["Host"], extensions = await self._pinned(address)
        timeout = httpx.Timeout(silence_seconds, connect=min(_CONNECT_SECONDS, silence_seconds))
        with _told_apart():
            async with self._client.stream(
                method, address, content=body, headers=headers, timeout=timeout, extensions=extensions
            ) as response:
                yield response

    async def _pinned(self, address: str) -> tuple[str, str, dict[str, Any]]:
        """The address with its host resolved, the Host header for it, and whose certificate is expected."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        try:
            found = await self._addresses.of(host)
        except AddressRefused as refusal:
            raise ProviderGone(str(refusal)) from refusal
        port = f":{parts.port}" if parts.port else ""
        literal = f"[{found}]" if ":" in found else found
        return parts._replace(netloc=literal + port).geturl(), host + port, {"sni_hostname": host}


async def _parts(response: httpx.Response) -> AsyncIterator[bytes]:
    with _told_apart():
        async for part in response.aiter_raw():
            yield part


@contextmanager
def _told_apart() -> Generator[None]:
    """Whether a provider was silent, or is gone."""
    try:
        yield
    except httpx.TimeoutException as failure:
        raise ProviderGone("It was silent for too long.", timed_out=True) from failure
    except (httpx.TransportError, httpx.InvalidURL) as failure:
        raise ProviderGone(f"It cannot be reached, or broke off ({type(failure).__name__}).") from failure


def _names(content: bytes) -> tuple[str, ...]:
    try:
        listed: Any = orjson.loads(content)
        entries = cast("list[dict[str, Any]]", listed["data"])
        return tuple(sorted({str(entry["id"]) for entry in entries}))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ProviderGone("Its list of models has not the form of one.") from None
