"""The Agent Factory: makes, deploys and keeps agents."""

from promptcraft.agents.clients import Places
from promptcraft.agents.schemas import (
    Agent,
    AgentCreate,
    AgentDetail,
    CreationEnvelope,
    DeployRequest,
    Progress,
    Upload,
)
from promptcraft.agents.service import Factory, Limits, Supplies

__all__ = [
    "Agent",
    "AgentCreate",
    "AgentDetail",
    "CreationEnvelope",
    "DeployRequest",
    "Factory",
    "Limits",
    "Places",
    "Progress",
    "Supplies",
    "Upload",
]
