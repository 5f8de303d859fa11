"""The Agent Factory's doors (specification §5.1)."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from promptcraft.agents import service
from promptcraft.agents.schemas import (
    Agent,
    AgentCreate,
    AgentDetail,
    AgentEvaluation,
    AgentStatus,
    CreationEnvelope,
    DeploymentAccepted,
    DeployRequest,
    EvaluationRequest,
    Logs,
    Progress,
    RevisionAccepted,
    Upload,
)
from promptcraft.agents.service import Factory
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import AskedPage, Db, Envelope, Session, requires
from promptcraft.kernel.audit.catalogue.agents import (
    AGENT_DELETED,
    AGENT_EVALUATED,
    CREATION_CANCELLED,
    CREATION_REQUESTED,
    DEPLOYMENT_REQUESTED,
    KNOWLEDGE_UPLOADED,
    UPDATE_REQUESTED,
    VERSION_PUSHED,
)
from promptcraft.kernel.permissions import Permission
from promptcraft.kernel.repeats import RepeatableRoute, done_once
from promptcraft.kernel.streams import STREAMED, LastEventId, OwnStreams
from promptcraft.kernel.texts import Storable
from promptcraft.runtime import Environment

router = APIRouter(prefix="/api/v4/admin", tags=["agents"], route_class=RepeatableRoute)


async def _factory(request: Request) -> Factory:
    return request.app.state.factory


OwnFactory = Annotated[Factory, Depends(_factory)]
Reader = Annotated[Actor, requires(Permission.AGENT_READ)]
# Longer than any name can be, so that a name too long is one that does not exist, not a malformed path.
AgentPath = Annotated[str, Path(max_length=500), Storable]


@router.post("/agents/create", status_code=202, dependencies=[done_once])
async def create_agent(
    request: AgentCreate,
    response: Response,
    actor: Annotated[Actor, requires(Permission.AGENT_CREATE, CREATION_REQUESTED)],
    session: Session,
    factory: OwnFactory,
) -> CreationEnvelope:
    """Make an agent from its spec and knowledge; follow it at `progress_endpoint`."""
    accepted = await service.create_agent(session, actor, factory, request)
    response.headers["Location"] = accepted.data.progress_endpoint
    return accepted


@router.get("/agents/creation/{creation_id}/status")
async def creation_status(creation_id: UUID, actor: Reader, session: Session) -> Envelope[Progress]:
    """How far a creation is, step by step."""
    return Envelope(data=await service.creation_progress(session, actor, creation_id))


@router.get("/agents/creation/{creation_id}/events", response_class=Response, responses=STREAMED)
async def creation_events(
    creation_id: UUID, actor: Reader, db: Db, streams: OwnStreams, request: Request, last_event_id: LastEventId = 0
) -> Response:
    """Follow a creation as it goes on, as server-sent events, until it has ended."""
    look = partial(service.creation_happening, db, actor, creation_id)
    return await streams.follow(request, creation_id, look, last_event_id)


@router.post("/agents/creation/{creation_id}/cancel", status_code=202)
async def cancel_creation(
    creation_id: UUID,
    response: Response,
    actor: Annotated[Actor, requires(Permission.AGENT_CREATE, CREATION_CANCELLED)],
    session: Session,
) -> Envelope[Progress]:
    """Have a creation undone instead of finished; it is cancelled once nothing of the agent is left.

    Your own, or anybody's if you may delete agents. One that has ended answers 409.
    """
    progress = await service.cancel_creation(session, actor, creation_id)
    response.headers["Location"] = f"/api/v4/admin/agents/creation/{creation_id}/status"
    return Envelope(status="accepted", data=progress)


@router.get("/agents/deployments/{deployment_id}")
async def deployment_status(deployment_id: UUID, actor: Reader, session: Session) -> Envelope[Progress]:
    """How far a deployment is, step by step."""
    return Envelope(data=await service.deployment_progress(session, actor, deployment_id))


@router.get("/agents/deployments/{deployment_id}/events", response_class=Response, responses=STREAMED)
async def deployment_events(
    deployment_id: UUID, actor: Reader, db: Db, streams: OwnStreams, request: Request, last_event_id: LastEventId = 0
) -> Response:
    """Follow a deployment as it goes on, as server-sent events, until it has ended."""
    look = partial(service.deployment_happening, db, actor, deployment_id)
    return await streams.follow(request, deployment_id, look, last_event_id)


@router.get("/agents/revisions/{revision_id}")
async def revision_status(revision_id: UUID, actor: Reader, session: Session) -> Envelope[Progress]:
    """How far a next version is, step by step."""
    return Envelope(data=await service.revision_progress(session, actor, revision_id))


@router.get("/agents")
async def list_agents(
    actor: Reader,
    session: Session,
    page: AskedPage,
    status: AgentStatus | None = None,
    domain: Annotated[Annotated[str, Storable] | None, Query(max_length=200)] = None,
) -> Envelope[list[Agent]]:
    """The organisation's agents by name."""
    return Envelope(data=await service.list_agents(session, actor, page, status=status, domain=domain))


@router.get("/agents/{name}")
async def show_agent(name: AgentPath, actor: Reader, factory: OwnFactory) -> Envelope[AgentDetail]:
    """One agent: what it knows, where it runs, what keeps it in."""
    return Envelope(data=await service.show_agent(factory, actor, name))


@router.delete("/agents/{name}", status_code=204)
async def delete_agent(
    name: AgentPath, actor: Annotated[Actor, requires(Permission.AGENT_DELETE, AGENT_DELETED)], session: Session
) -> None:
    """Stop the agent in every environment and forget it, its repository included."""
    await service.delete_agent(session, actor, name)


@router.get("/agents/{name}/logs")
async def agent_logs(
    name: AgentPath,
    actor: Annotated[Actor, requires(Permission.AGENT_LOGS)],
    factory: OwnFactory,
    lines: Annotated[int, Query(ge=1, le=10_000)] = 200,
    environment: Environment | None = None,
) -> Envelope[Logs]:
    """The newest lines that the agent printed, oldest first."""
    return Envelope(data=await service.agent_logs(factory, actor, name, environment=environment, lines=lines))


@router.get(
    "/agents/{name}/repository",
    response_class=Response,
    responses={200: {"content": {"application/x-git-bundle": {}}, "description": "A git bundle with branch main"}},
)
async def agent_repository(name: AgentPath, actor: Reader, factory: OwnFactory) -> Response:
    """The agent's git repository as a bundle, which `git clone` takes."""
    bundle = await service.repository_bundle(factory, actor, name)
    disposition = f'attachment; filename="{name}.bundle"'
    return Response(bundle, media_type="application/x-git-bundle", headers={"Content-Disposition": disposition})


@router.post(
    "/agents/{name}/repository",
    status_code=202,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-git-bundle": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def push_agent(
    name: AgentPath,
    request: Request,
    response: Response,
    actor: Annotated[Actor, requires(Permission.AGENT_UPDATE, VERSION_PUSHED)],
    factory: OwnFactory,
) -> Envelope[RevisionAccepted]:
    """Take in a git bundle whose main goes on from the agent's; it is a version once it has passed the gate."""
    accepted = await service.push_agent(factory, actor, name, request.stream())
    response.headers["Location"] = accepted.progress_endpoint
    return Envelope(status="accepted", data=accepted)


@router.post("/agents/{name}/update", status_code=202, dependencies=[done_once])
async def update_agent(
    name: AgentPath,
    response: Response,
    actor: Annotated[Actor, requires(Permission.AGENT_UPDATE, UPDATE_REQUESTED)],
    session: Session,
) -> Envelope[RevisionAccepted]:
    """Merge the newest template into the agent; what was edited stays, and a conflict is shown, not settled."""
    accepted = await service.update_agent(session, actor, name)
    response.headers["Location"] = accepted.progress_endpoint
    return Envelope(status="accepted", data=accepted)


@router.post("/agents/{name}/deploy", status_code=202, dependencies=[done_once])
async def deploy_agent(
    name: AgentPath,
    request: DeployRequest,
    response: Response,
    actor: Annotated[Actor, requires(Permission.AGENT_DEPLOY, DEPLOYMENT_REQUESTED)],
    session: Session,
) -> Envelope[DeploymentAccepted]:
    """Start the newest version of the agent in an environment; follow it at `progress_endpoint`."""
    accepted = await service.deploy_agent(session, actor, name, request)
    response.headers["Location"] = accepted.progress_endpoint
    return Envelope(status="accepted", data=accepted)


@router.post("/agents/{name}/evaluate")
async def evaluate_agent(
    name: AgentPath,
    request: EvaluationRequest,
    actor: Annotated[Actor, requires(Permission.AGENT_EVALUATE, AGENT_EVALUATED)],
    factory: OwnFactory,
) -> Envelope[AgentEvaluation]:
    """Ask the running agent a set of questions and judge its answers; calibrate it by them on request."""
    return Envelope(data=await service.evaluate_agent(factory, actor, name, request))


@router.post(
    "/knowledge/uploads",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (
                "application/gzip", "application/x-tar",
            )},
        }
    },
)  # fmt: skip
async def upload_knowledge(
    request: Request,
    actor: Annotated[Actor, requires(Permission.KNOWLEDGE_UPLOAD, KNOWLEDGE_UPLOADED)],
    factory: OwnFactory,
) -> Envelope[Upload]:
    """Store the documents of a tar or tar.gz; its `source` is what a knowledge source names it by."""
    return Envelope(data=await service.upload_knowledge(factory, actor, request.stream()))
