"""What the gateway does."""

from promptcraft.gateway.service.calling import Call, begin_call, make_call
from promptcraft.gateway.service.keeping import (
    add_provider,
    change_provider,
    forget_keys,
    policy,
    provider,
    providers,
    remove_provider,
    rotate_key,
    set_policy,
    test_provider,
)
from promptcraft.gateway.service.ledger import CLOSE_ORPHANS, Caller, Spent, calls_of, close_orphans, spent
from promptcraft.gateway.service.models import grant, models
from promptcraft.gateway.service.opening import Gateway, open_gateway
from promptcraft.gateway.service.versions import etag
from promptcraft.gateway.service.wanted import MOST_BYTES, read_request

__all__ = [
    "CLOSE_ORPHANS",
    "MOST_BYTES",
    "Call",
    "Caller",
    "Gateway",
    "Spent",
    "add_provider",
    "begin_call",
    "calls_of",
    "change_provider",
    "close_orphans",
    "etag",
    "forget_keys",
    "grant",
    "make_call",
    "models",
    "open_gateway",
    "policy",
    "provider",
    "providers",
    "read_request",
    "remove_provider",
    "rotate_key",
    "set_policy",
    "spent",
    "test_provider",
]
