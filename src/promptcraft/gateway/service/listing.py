"""What providers say themselves that they have."""

import time
from dataclasses import dataclass, field

from promptcraft.gateway.clients import ProviderGone, Providers
from promptcraft.gateway.service.catalogue import Served

_KEEP_SECONDS = 300.0
_MOST_KEPT = 1_000


@dataclass(slots=True)
class Listed:
    """What providers listed themselves, remembered for minutes: it is asked again and again by every client."""

    _known: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = field(
        default_factory=dict[tuple[str, str], tuple[float, tuple[str, ...]]]
    )

    async def of(self, providers: Providers, served: Served) -> tuple[str, ...]:
        """The provider's models; none where it does not answer."""
        key = served.endpoint.base_url, served.endpoint.key
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < _KEEP_SECONDS:
            return known[1]
        try:
            found = await providers.models(served.endpoint)
        except ProviderGone:
            return ()
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[key] = time.monotonic(), found
        return found
