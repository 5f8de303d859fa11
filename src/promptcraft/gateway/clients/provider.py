"""Providers that speak the OpenAI API over HTTP: any base URL, and Azure with its own path and header.

Azure: "Azure OpenAI in Microsoft Foundry Models v1 API" (`/openai/v1`, header `api-key`), and the older data plane by
deployment (`/openai/deployments/NAME/...?api-version=`) where an `api_version` is named.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from urllib.parse import SplitResult, quote, urlsplit

import orjson
from opentelemetry import propagate

from promptcraft.gateway.clients.addresses import Addresses, AddressRefused
from promptcraft.gateway.clients.http1 import BrokenOff, Http1, Place, Received, request_of
from promptcraft.gateway.schemas import Kind
from promptcraft.kernel.context import platform_version

_KEEP_ALIVE_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_LIST_SECONDS = 10.0
_LARGEST_LIST = 4 * 1024 * 1024
_USER_AGENT = f"PromptCraft-Hybrid/{platform_version()}"


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
    """Kept connections to all providers, so that a call waits for no handshake twice."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._http = Http1(connect_seconds=_CONNECT_SECONDS, keep_seconds=_KEEP_ALIVE_SECONDS)

    @asynccontextmanager
    async def chat(
        self, endpoint: Endpoint, model: str, body: bytes, silence_seconds: float
    ) -> AsyncGenerator[Answering]:
        address = endpoint.address("chat/completions", model)
        async with self._asked(endpoint, "POST", address, body, silence_seconds) as received:
            yield Answering(
                status=received.status,
                streamed=received.headers.get("content-type", "").startswith("text/event-stream"),
                retry_after=received.headers.get("retry-after", ""),
                parts=_parts(received),
            )

    async def models(self, endpoint: Endpoint) -> tuple[str, ...]:
        content = bytearray()
        async with self._asked(endpoint, "GET", endpoint.address("models", ""), None, _LIST_SECONDS) as received:
            async for part in _parts(received):
                content += part
                if len(content) > _LARGEST_LIST:
                    raise ProviderGone("Its list of models is too long.")
        if received.status != 200:
            raise ProviderGone(f"It answered HTTP {received.status} when asked for its models.")
        return _names(bytes(content))

    async def close(self) -> None:
        await self._http.close()

    @asynccontextmanager
    async def _asked(
        self, endpoint: Endpoint, method: str, address: str, body: bytes | None, silence_seconds: float
    ) -> AsyncGenerator[Received]:
        parts = urlsplit(address)
        headers = {"Host": parts.netloc, "Accept-Encoding": "identity", "User-Agent": _USER_AGENT}
        headers |= {"Content-Type": "application/json", **endpoint.headers()}
        propagate.inject(headers)
        target = parts._replace(scheme="", netloc="").geturl() or "/"
        with _told_apart():
            place = await self._place(parts, trusted=endpoint.trusted)
            async with self._http.asked(place, request_of(method, target, headers, body), silence_seconds) as received:
                yield received

    async def _place(self, parts: SplitResult, *, trusted: bool) -> Place:
        """Where to connect to: to the very address that was looked at, unless the platform's settings name it."""
        host, secure = parts.hostname or "", parts.scheme == "https"
        address = host if trusted else await self._addresses.of(host)
        return Place(address, parts.port or (443 if secure else 80), host, secure)


async def _parts(received: Received) -> AsyncIterator[bytes]:
    with _told_apart():
        async for part in received.parts:
            yield part


@contextmanager
def _told_apart() -> Generator[None]:
    """Whether a provider was silent, or is gone."""
    try:
        yield
    except TimeoutError as failure:
        raise ProviderGone("It was silent for too long.", timed_out=True) from failure
    except BrokenOff as failure:
        raise ProviderGone(f"It cannot be reached, or broke off ({failure}).") from failure
    except (AddressRefused, ValueError) as refusal:
        raise ProviderGone(str(refusal)) from refusal


def _names(content: bytes) -> tuple[str, ...]:
    try:
        listed: Any = orjson.loads(content)
        entries = cast("list[dict[str, Any]]", listed["data"])
        return tuple(sorted({str(entry["id"]) for entry in entries}))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ProviderGone("Its list of models has not the form of one.") from None
