"""The gateway's doors."""

from promptcraft.gateway.routes.proxy import router

__all__ = ["router"]
