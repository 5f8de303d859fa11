"""Agents: knowledge, creations, versions, deployments."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from promptcraft_sdk.client.api.making import TRANSFER_TIME_LIMIT, data_of, follow, get, list_of, nothing, once, post
from promptcraft_sdk.client.schemas import (
    Agent,
    AgentCreate,
    AgentDetail,
    Creation,
    Deployment,
    Environment,
    Evaluation,
    Logs,
    Progress,
    Revision,
    Upload,
)
from promptcraft_sdk.client.streams import Stream
from promptcraft_sdk.client.wire import Call

_AGENTS = "/api/v4/admin/agents"


def upload_knowledge(archive: bytes, *, compressed: bool) -> Call[Upload]:
    """Store a tar archive of documents; the answer's `source` is the same for the same content."""
    return Call(
        "POST",
        "/api/v4/admin/knowledge/uploads",
        data_of(Upload),
        body=archive,
        content_type="application/gzip" if compressed else "application/x-tar",
        time_limit=TRANSFER_TIME_LIMIT,
    )


def create_agent(request: AgentCreate | Mapping[str, Any]) -> Call[Creation]:
    """Start a creation; a mapping is sent as it is, so that the platform is the one to judge it."""
    return once(post(f"{_AGENTS}/create", Creation, request))


def creation(creation_id: UUID) -> Call[Progress]:
    return get(_AGENTS + "/creation/{creation_id}/status", Progress, creation_id=creation_id)


def creation_events(creation_id: UUID) -> Stream[Progress]:
    """Each change of a creation, then its end."""
    return follow(_AGENTS + "/creation/{creation_id}/events", Progress, creation_id=creation_id)


def cancel_creation(creation_id: UUID) -> Call[Progress]:
    """Have a creation undone instead of finished; follow it until it is cancelled."""
    return post(_AGENTS + "/creation/{creation_id}/cancel", Progress, {}, creation_id=creation_id)


def agents(*, status: str | None = None, domain: str | None = None) -> Call[list[Agent]]:
    return list_of(_AGENTS, Agent, query={"status": status, "domain": domain})


def agent(name: str) -> Call[AgentDetail]:
    return get(_AGENTS + "/{name}", AgentDetail, name=name)


def delete_agent(name: str) -> Call[None]:
    return Call("DELETE", _AGENTS + "/{name}", nothing, path_values={"name": name}, time_limit=60.0)


def agent_logs(name: str, *, lines: int | None = None, environment: Environment | None = None) -> Call[Logs]:
    return get(_AGENTS + "/{name}/logs", Logs, query={"lines": lines, "environment": environment}, name=name)


def agent_repository(name: str) -> Call[bytes]:
    """The agent's repository as a git bundle."""
    return Call(
        "GET",
        _AGENTS + "/{name}/repository",
        bytes,
        path_values={"name": name},
        accept="*/*",
        time_limit=TRANSFER_TIME_LIMIT,
    )


def push_agent(name: str, bundle: bytes) -> Call[Revision]:
    """Send a git bundle whose main goes on from the agent's; follow it with `revision`."""
    return Call(
        "POST",
        _AGENTS + "/{name}/repository",
        data_of(Revision),
        path_values={"name": name},
        body=bundle,
        content_type="application/x-git-bundle",
        time_limit=TRANSFER_TIME_LIMIT,
    )


def update_agent(name: str) -> Call[Revision]:
    """Have the newest template merged into the agent; follow it with `revision`."""
    return post(_AGENTS + "/{name}/update", Revision, {}, name=name)


def revision(revision_id: UUID) -> Call[Progress]:
    return get(_AGENTS + "/revisions/{revision_id}", Progress, revision_id=revision_id)


def deploy_agent(
    name: str, *, environment: Environment = "development", restart_policy: str = "unless-stopped"
) -> Call[Deployment]:
    body = {"agent_name": name, "environment": environment, "restart_policy": restart_policy}
    return once(post(_AGENTS + "/{name}/deploy", Deployment, body, name=name))


def evaluate_agent(
    name: str, questions: Any, *, environment: Environment | None = None, calibrate: bool = False
) -> Call[Evaluation]:
    """Ask a running agent a question set; it is sent as it is, so that the platform is the one to judge it."""
    body = {"questions": questions, "environment": environment, "calibrate": calibrate}
    return post(_AGENTS + "/{name}/evaluate", Evaluation, body, time_limit=TRANSFER_TIME_LIMIT, name=name)


def deployment(deployment_id: UUID) -> Call[Progress]:
    return get(_AGENTS + "/deployments/{deployment_id}", Progress, deployment_id=deployment_id)


def deployment_events(deployment_id: UUID) -> Stream[Progress]:
    """Each change of a deployment, then its end."""
    return follow(_AGENTS + "/deployments/{deployment_id}/events", Progress, deployment_id=deployment_id)
