"""Who may use how much."""

from promptcraft.quotas.clients import Counted, Counter, LocalCounter, RedisCounter
from promptcraft.quotas.errors import RequestsLimited
from promptcraft.quotas.service import RequestLimits, open_limits

__all__ = [
    "Counted",
    "Counter",
    "LocalCounter",
    "RedisCounter",
    "RequestLimits",
    "RequestsLimited",
    "open_limits",
]
