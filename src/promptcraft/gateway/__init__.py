"""The gateway: how people and agents reach models, under their organisation's rules and on the record."""

from promptcraft.gateway.errors import ModelNotAllowed, ModelNotFound
from promptcraft.gateway.schemas import CallEntry, ModelCalled, Policy, Price
from promptcraft.gateway.service import Gateway, Spent, calls_of, forget_keys, grant, open_gateway, spent

__all__ = [
    "CallEntry",
    "Gateway",
    "ModelCalled",
    "ModelNotAllowed",
    "ModelNotFound",
    "Policy",
    "Price",
    "Spent",
    "calls_of",
    "forget_keys",
    "grant",
    "open_gateway",
    "spent",
]
