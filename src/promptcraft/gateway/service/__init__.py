"""What the gateway does."""

from promptcraft.gateway.service.calling import Call, begin_call, make_call
from promptcraft.gateway.service.ledger import CLOSE_ORPHANS, Caller, Spent, close_orphans, spent
from promptcraft.gateway.service.models import models
from promptcraft.gateway.service.opening import Gateway, open_gateway
from promptcraft.gateway.service.wanted import MOST_BYTES, read_request

__all__ = [
    "CLOSE_ORPHANS",
    "MOST_BYTES",
    "Call",
    "Caller",
    "Gateway",
    "Spent",
    "begin_call",
    "close_orphans",
    "make_call",
    "models",
    "open_gateway",
    "read_request",
    "spent",
]
