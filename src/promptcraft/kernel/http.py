"""The one place that makes HTTP clients, but for gateway/clients/http1.py: time limits, trace context, UNIX sockets."""

import httpx
from opentelemetry import propagate

from promptcraft.kernel.context import platform_version


async def _carry_trace(request: httpx.Request) -> None:
    propagate.inject(request.headers)


def http_client(
    *, base_url: str = "", socket: str | None = None, timeout_seconds: float = 10.0, connections: int = 32
) -> httpx.AsyncClient:
    """A client for one outside system; `socket` is the path of a UNIX socket to speak HTTP over."""
    limits = httpx.Limits(
        max_connections=connections,
        max_keepalive_connections=connections,
        # Shorter than the 5 s after which uvicorn, and so an agent, closes: never send into a connection being closed.
        keepalive_expiry=2.0,
    )
    return httpx.AsyncClient(
        base_url=base_url,
        transport=httpx.AsyncHTTPTransport(uds=socket, limits=limits),
        timeout=httpx.Timeout(timeout_seconds, connect=min(5.0, timeout_seconds)),
        headers={"User-Agent": f"PromptCraft-Hybrid/{platform_version()}"},
        event_hooks={"request": [_carry_trace]},
        follow_redirects=False,
        trust_env=False,
    )
