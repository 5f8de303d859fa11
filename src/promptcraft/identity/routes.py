"""Signing in and out, keys of programs, the public keys, and who one is."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from promptcraft.identity import service
from promptcraft.identity.schemas import (
    ApiKey,
    ApiKeyRequest,
    ApiKeyRotation,
    KeySet,
    Me,
    NewApiKey,
    RevocationRequest,
    TokenRequest,
    Tokens,
)
from promptcraft.identity.schemas import Session as SessionShown
from promptcraft.identity.service import Identity
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import Envelope, Session, public, requires
from promptcraft.kernel.audit.catalogue.identity import (
    API_KEY_MADE,
    API_KEY_REVOKED,
    API_KEY_ROTATED,
    CREDENTIAL_REVOKED,
    LOGIN_SUCCEEDED,
    SESSION_ENDED,
)
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


@router.post(
    "/auth/revoke", status_code=204, dependencies=[public("the credential itself is the proof", CREDENTIAL_REVOKED)]
)
async def revoke(given: RevocationRequest, identity: OwnIdentity) -> None:
    """Revoke an access token, a session credential or an API key that you hold, or found (RFC 7009).

    Answers 204 also for what is not valid: nobody learns here whether something is.
    """
    await service.surrender(identity, given.token.get_secret_value())


@router.get("/api/v4/sessions")
async def sessions(
    session: Session, actor: Annotated[Actor, requires(Permission.SESSION_END)]
) -> Envelope[list[SessionShown]]:
    """Where you are signed in, the newest first."""
    return Envelope(data=await service.list_sessions(session, actor))


@router.delete("/api/v4/sessions/{session_id}", status_code=204)
async def end_session(
    session_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.SESSION_END, SESSION_ENDED)]
) -> None:
    """End one of your sessions: a computer that you lost, a browser that you forgot."""
    await service.end(session, actor, session_id)


@router.post("/api/v4/api-keys", status_code=201)
async def make_api_key(
    request: ApiKeyRequest,
    session: Session,
    actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE, API_KEY_MADE)],
    response: Response,
) -> Envelope[NewApiKey]:
    """Make a key for a program of yours. The answer holds it, and nothing else ever does."""
    response.headers["Cache-Control"] = "no-store"
    return Envelope(data=await service.make_api_key(session, actor, request))


@router.get("/api/v4/api-keys")
async def api_keys(
    session: Session, actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE)]
) -> Envelope[list[ApiKey]]:
    """Your keys, or all of your organisation's if you manage its users."""
    return Envelope(data=await service.list_api_keys(session, actor))


@router.post("/api/v4/api-keys/{key_id}/rotate", status_code=201)
async def rotate_api_key(
    key_id: UUID,
    request: ApiKeyRotation,
    session: Session,
    actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE, API_KEY_ROTATED)],
    response: Response,
) -> Envelope[NewApiKey]:
    """Take a new key in the place of yours; the old one works on for the overlap, so that no call fails."""
    response.headers["Cache-Control"] = "no-store"
    overlap = timedelta(hours=request.overlap_hours)
    return Envelope(data=await service.rotate_api_key(session, actor, key_id, overlap))


@router.delete("/api/v4/api-keys/{key_id}", status_code=204)
async def revoke_api_key(
    key_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE, API_KEY_REVOKED)]
) -> None:
    """Revoke a key; within two seconds it opens nothing anywhere."""
    await service.revoke_api_key(session, actor, key_id)


@router.get("/.well-known/jwks.json", dependencies=[public("public keys are for everybody")])
async def signing_keys(identity: OwnIdentity, response: Response) -> KeySet:
    """The public keys that access tokens are signed with."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return await identity.keys.published()


@router.get("/api/v4/me")
async def me(session: Session, actor: Annotated[Actor, requires(Permission.PROFILE_READ)]) -> Envelope[Me]:
    """Who you are, and what you may do."""
    return Envelope(data=await service.me(session, actor))
