"""Signing in and out, the public keys, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from promptcraft.identity import service
from promptcraft.identity.schemas import KeySet, Me, TokenRequest, Tokens
from promptcraft.identity.service import Identity
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import Envelope, Session, public, requires
from promptcraft.kernel.audit.catalogue.identity import LOGIN_SUCCEEDED, SESSION_ENDED
from promptcraft.kernel.permissions import Permission

router = APIRouter(tags=["identity"])


async def _identity(request: Request) -> Identity:
    return request.app.state.identity


OwnIdentity = Annotated[Identity, Depends(_identity)]


async def authenticate_request(request: Request) -> Actor:
    """Resolve the caller of a request; the composition root installs it as `app.state.authenticate`."""
    return await service.authenticate(request.app.state.identity, request.headers.get("authorization"))


@router.post("/auth/token", dependencies=[public("this is how one gets credentials", LOGIN_SUCCEEDED)])
async def token(given: TokenRequest, identity: OwnIdentity, response: Response) -> Tokens:
    """Sign in with username and password, or take a new access token for a session."""
    response.headers["Cache-Control"] = "no-store"
    if given.session is not None:
        return await service.renew(identity, given.session.get_secret_value())
    password = given.password.get_secret_value() if given.password else ""
    return await service.sign_in(identity, given.username or "", password)


@router.post("/auth/logout", status_code=204)
async def logout(session: Session, actor: Annotated[Actor, requires(Permission.SESSION_END, SESSION_ENDED)]) -> None:
    """End the session that this access token belongs to."""
    await service.end(session, actor)


@router.get("/.well-known/jwks.json", dependencies=[public("public keys are for everybody")])
async def signing_keys(identity: OwnIdentity, response: Response) -> KeySet:
    """The public keys that access tokens are signed with."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return await identity.keys.published()


@router.get("/api/v4/me")
async def me(session: Session, actor: Annotated[Actor, requires(Permission.PROFILE_READ)]) -> Envelope[Me]:
    """Who you are, and what you may do."""
    return Envelope(data=await service.me(session, actor))
