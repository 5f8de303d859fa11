"""Where an organisation's provider may be: nowhere inside the platform's own network, unless the platform says so."""

import asyncio
import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_KEEP_SECONDS = 30.0
_MOST_HOSTS = 1_000


class AddressRefused(Exception):
    """The host's name leads nowhere, or to where an organisation's provider may not be."""


@dataclass(slots=True)
class Addresses:
    """Resolves hosts of providers and remembers them shortly; `private` are networks that are allowed all the same.

    What is connected to is the very address that was looked at, so that a name cannot lead elsewhere a moment later.
    """

    private: Sequence[Network] = ()
    _known: OrderedDict[str, tuple[float, str]] = field(default_factory=OrderedDict[str, tuple[float, str]])

    async def of(self, host: str) -> str:
        """An address of the host that may be connected to. Raises AddressRefused."""
        known = self._known.get(host)
        if known is not None and time.monotonic() - known[0] < _KEEP_SECONDS:
            return known[1]
        address = self._checked(host, await _resolved(host))
        self._known[host] = time.monotonic(), address
        while len(self._known) > _MOST_HOSTS:
            self._known.popitem(last=False)
        return address

    def _checked(self, host: str, found: Sequence[Address]) -> str:
        for address in found:
            if not (address.is_global or any(address in network for network in self.private)):
                raise AddressRefused(f"{host} leads into a private network, where no provider is asked.")
        return str(found[0])


async def _resolved(host: str) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressRefused(f"The name {host} leads nowhere.") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    # An IPv4 address dressed as an IPv6 one is judged as what it is.
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]
