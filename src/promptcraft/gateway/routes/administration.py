"""Whom an organisation's models are asked of, and what it allows."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel

from promptcraft.gateway import service
from promptcraft.gateway.errors import IfMatchMissing
from promptcraft.gateway.routes.proxy import OwnGateway
from promptcraft.gateway.schemas import (
    KeyRotation,
    Policy,
    Provider,
    ProviderAdd,
    ProviderChange,
    ProviderTest,
    ProviderTested,
)
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import AskedPage, Envelope, Session, requires
from promptcraft.kernel.audit.catalogue.gateway import (
    MODEL_CALLED,
    POLICY_CHANGED,
    PROVIDER_ADDED,
    PROVIDER_CHANGED,
    PROVIDER_KEY_ROTATED,
    PROVIDER_REMOVED,
)
from promptcraft.kernel.permissions import Permission
from promptcraft.kernel.repeats import GivenOnce, RepeatableRoute

router = APIRouter(prefix="/api/v4/admin/models", tags=["models"], route_class=RepeatableRoute)

Reader = Annotated[Actor, requires(Permission.MODEL_READ)]
# Longer than any name can be, so that a name too long is one that does not exist, not a malformed path.
Name = Annotated[str, Path(max_length=500)]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", max_length=1_000, description="The ETag of the state to change, or `*`")
]
Shown = TypeVar("Shown", bound=BaseModel)


@router.get("/providers")
async def providers(session: Session, gateway: OwnGateway, actor: Reader, page: AskedPage) -> Envelope[list[Provider]]:
    """Your organisation's providers of models in the order in which they are asked, then the platform's."""
    return Envelope(data=await service.providers(session, actor, gateway, page))


@router.post("/providers", status_code=201)
async def add_provider(
    given: ProviderAdd,
    gateway: OwnGateway,
    actor: Annotated[Actor, requires(Permission.MODEL_MANAGE, PROVIDER_ADDED)],
    once: GivenOnce,
) -> Envelope[Provider]:
    """Add a provider that speaks the OpenAI API; its key is kept sealed and never shown again."""
    return Envelope(data=await service.add_provider(gateway, actor, given, once))


@router.get("/providers/{name}")
async def provider(name: Name, session: Session, actor: Reader, response: Response) -> Envelope[Provider]:
    """One of your organisation's providers."""
    return _tagged(response, await service.provider(session, actor, name))


@router.patch("/providers/{name}")
async def change_provider(
    name: Name,
    given: ProviderChange,
    gateway: OwnGateway,
    actor: Annotated[Actor, requires(Permission.MODEL_MANAGE, PROVIDER_CHANGED)],
    response: Response,
    if_match: IfMatch = None,
) -> Envelope[Provider]:
    """Change what is named of a provider; the next call goes by it."""
    return _tagged(response, await service.change_provider(gateway, actor, name, given, if_match))


@router.delete("/providers/{name}", status_code=204)
async def remove_provider(
    name: Name, gateway: OwnGateway, actor: Annotated[Actor, requires(Permission.MODEL_MANAGE, PROVIDER_REMOVED)]
) -> None:
    """Remove a provider with its key; calls under way go on to their end."""
    await service.remove_provider(gateway, actor, name)


@router.post("/providers/{name}/key")
async def rotate_key(
    name: Name,
    given: KeyRotation,
    gateway: OwnGateway,
    actor: Annotated[Actor, requires(Permission.MODEL_MANAGE, PROVIDER_KEY_ROTATED)],
) -> Envelope[Provider]:
    """Give a provider another key; calls under way keep theirs, the next one is made with this."""
    return Envelope(data=await service.rotate_key(gateway, actor, name, given))


@router.post("/providers/{name}/test")
async def test_provider(
    name: Name,
    given: ProviderTest,
    gateway: OwnGateway,
    actor: Annotated[Actor, requires(Permission.MODEL_MANAGE, MODEL_CALLED)],
) -> Envelope[ProviderTested]:
    """Make one small call of this provider, on the record as any other; a failure says what the provider did."""
    return Envelope(data=await service.test_provider(gateway, actor, name, given))


@router.get("/policy")
async def policy(session: Session, actor: Reader, response: Response) -> Envelope[Policy]:
    """What your organisation allows of models: which, by whom, for how much, for how long."""
    return _tagged(response, await service.policy(session, actor))


@router.put("/policy")
async def set_policy(
    given: Policy,
    gateway: OwnGateway,
    actor: Annotated[Actor, requires(Permission.MODEL_MANAGE, POLICY_CHANGED)],
    response: Response,
    if_match: IfMatch = None,
) -> Envelope[Policy]:
    """Replace what your organisation allows of models; other processes follow within a second.

    `If-Match` is required, as what is left out is replaced, too.
    """
    if if_match is None:
        raise IfMatchMissing
    return _tagged(response, await service.set_policy(gateway, actor, given, if_match))


def _tagged(response: Response, shown: Shown) -> Envelope[Shown]:
    response.headers["ETag"] = service.etag(shown)
    return Envelope(data=shown)
