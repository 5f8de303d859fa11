"""The Agent Factory: makes, deploys and keeps agents."""

from promptcraft.agents.clients import Places
from promptcraft.agents.errors import AgentBusy
from promptcraft.agents.schemas import (
    Agent,
    AgentCreate,
    AgentDetail,
    CreationEnvelope,
    DeployRequest,
    Progress,
    Upload,
)
from promptcraft.agents.service import Factory, Limits, Supplies, delete_agent, list_agents, repository_bundle

__all__ = [
    "Agent",
    "AgentBusy",
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
    "delete_agent",
    "list_agents",
    "repository_bundle",
]
