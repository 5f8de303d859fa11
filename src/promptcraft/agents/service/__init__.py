"""The Agent Factory: from a spec and documents to an agent that answers."""

from promptcraft.agents.service.creation import (
    cancel_creation,
    create_agent,
    creation_ended,
    creation_happening,
    creation_progress,
    deploy_agent,
    deployment_ended,
    deployment_happening,
    deployment_progress,
)
from promptcraft.agents.service.evaluating import evaluate_agent
from promptcraft.agents.service.factory import Factory, Limits
from promptcraft.agents.service.keeping import (
    agent_logs,
    delete_agent,
    list_agents,
    remove_files,
    repository_bundle,
    show_agent,
    wait_until_stopped,
)
from promptcraft.agents.service.supplies import Supplies
from promptcraft.agents.service.tidying import forget_interrupted_uploads
from promptcraft.agents.service.updating import (
    push_agent,
    refresh_knowledge,
    revision_ended,
    revision_progress,
    update_agent,
)
from promptcraft.agents.service.uploads import upload_knowledge

__all__ = [
    "Factory",
    "Limits",
    "Supplies",
    "agent_logs",
    "cancel_creation",
    "create_agent",
    "creation_ended",
    "creation_happening",
    "creation_progress",
    "delete_agent",
    "deploy_agent",
    "deployment_ended",
    "deployment_happening",
    "deployment_progress",
    "evaluate_agent",
    "forget_interrupted_uploads",
    "list_agents",
    "push_agent",
    "refresh_knowledge",
    "remove_files",
    "repository_bundle",
    "revision_ended",
    "revision_progress",
    "show_agent",
    "update_agent",
    "upload_knowledge",
    "wait_until_stopped",
]
