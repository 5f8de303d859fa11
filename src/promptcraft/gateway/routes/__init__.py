"""The gateway's doors."""

from fastapi import APIRouter

from promptcraft.gateway.routes.administration import router as administration
from promptcraft.gateway.routes.agents import AgentDoor, authenticate_agent
from promptcraft.gateway.routes.direct import DirectChat
from promptcraft.gateway.routes.proxy import router as proxy

router = APIRouter()
router.include_router(proxy)
router.include_router(administration)

__all__ = ["AgentDoor", "DirectChat", "authenticate_agent", "proxy", "router"]
