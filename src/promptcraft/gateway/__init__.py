"""The gateway: how people and agents reach models, under their organisation's rules and on the record."""

from promptcraft.gateway.errors import ModelNotAllowed, ModelNotFound
from promptcraft.gateway.schemas import ModelCalled, Policy, Price
from promptcraft.gateway.service import Gateway, Spent, grant, open_gateway, spent

__all__ = [
    "Gateway",
    "ModelCalled",
    "ModelNotAllowed",
    "ModelNotFound",
    "Policy",
    "Price",
    "Spent",
    "grant",
    "open_gateway",
    "spent",
]
