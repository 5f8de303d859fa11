"""Signing in and out, keys of programs, the public keys, and who one is."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from promptcraft.identity import service
from promptcraft.identity.schemas import (
    AccountExport,
    ApiKey,
    ApiKeyRequest,
    ApiKeyRotation,
    Code,
    Group,
    GroupsOf,
    Invitation,
    InvitationAcceptance,
    KeySet,
    Me,
    NewApiKey,
    OrganisationEntry,
    OrganisationFounded,
    OrganisationFounding,
    RecoveryCodes,
    RevocationRequest,
    RoleShown,
    RolesOf,
    SecondFactorSecret,
    TokenRequest,
    Tokens,
    User,
    UserInvitation,
)
from promptcraft.identity.schemas import Session as SessionShown
from promptcraft.identity.service import Identity
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.api import AskedPage, Db, Envelope, Session, public, requires
from promptcraft.kernel.audit.catalogue.identity import (
    API_KEY_MADE,
    API_KEY_REVOKED,
    API_KEY_ROTATED,
    CREDENTIAL_REVOKED,
    GROUP_JOINED,
    GROUP_REMOVED,
    INVITATION_ACCEPTED,
    LOGIN_SUCCEEDED,
    ORGANISATION_FOUNDED,
    ORGANISATION_RESUMED,
    ORGANISATION_SUSPENDED,
    ROLE_BOUND,
    SECOND_FACTOR_BEGUN,
    SECOND_FACTOR_CONFIRMED,
    SECOND_FACTOR_REMOVED,
    SESSION_ENDED,
    USER_INVITED,
    USER_OFFBOARDED,
    USER_RESUMED,
    USER_SUSPENDED,
)
from promptcraft.kernel.permissions import ROLES, Permission, permissions_of

router = APIRouter(tags=["identity"])


async def _identity(request: Request) -> Identity:
    return request.app.state.identity


GroupInPath = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f/]*$")]
OwnIdentity = Annotated[Identity, Depends(_identity)]


async def authenticate_request(request: Request) -> Actor:
    """Resolve the caller of a request; the composition root installs it as `app.state.authenticate`."""
    return await service.authenticate(request.app.state.identity, request.headers.get("authorization"))


@router.post("/auth/token", dependencies=[public("this is how one gets credentials", LOGIN_SUCCEEDED)])
async def token(given: TokenRequest, identity: OwnIdentity) -> Tokens:
    """Sign in with username and password, or take a new access token for a session."""
    if given.session is not None:
        return await service.renew(identity, given.session.get_secret_value())
    password = given.password.get_secret_value() if given.password else ""
    code = given.code.get_secret_value() if given.code else None
    return await service.sign_in(identity, given.username or "", password, code)


@router.post("/auth/logout", status_code=204)
async def logout(session: Session, actor: Annotated[Actor, requires(Permission.SESSION_END, SESSION_ENDED)]) -> None:
    """End the session that this access token belongs to."""
    await service.sessions.end(session, actor)


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
    session: Session, actor: Annotated[Actor, requires(Permission.SESSION_END)], page: AskedPage
) -> Envelope[list[SessionShown]]:
    """Where you are signed in, the newest first."""
    return Envelope(data=await service.sessions.listed(session, actor, page))


@router.delete("/api/v4/sessions/{session_id}", status_code=204)
async def end_session(
    session_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.SESSION_END, SESSION_ENDED)]
) -> None:
    """End one of your sessions: a computer that you lost, a browser that you forgot."""
    await service.sessions.end(session, actor, session_id)


@router.post("/api/v4/api-keys", status_code=201)
async def make_api_key(
    request: ApiKeyRequest,
    session: Session,
    actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE, API_KEY_MADE)],
) -> Envelope[NewApiKey]:
    """Make a key for a program of yours. The answer holds it, and nothing else ever does."""
    return Envelope(data=await service.api_keys.make(session, actor, request))


@router.get("/api/v4/api-keys")
async def api_keys(
    session: Session, actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE)], page: AskedPage
) -> Envelope[list[ApiKey]]:
    """Your keys, or all of your organisation's if you manage its users."""
    return Envelope(data=await service.api_keys.listed(session, actor, page))


@router.post("/api/v4/api-keys/{key_id}/rotate", status_code=201)
async def rotate_api_key(
    key_id: UUID,
    request: ApiKeyRotation,
    session: Session,
    actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE, API_KEY_ROTATED)],
) -> Envelope[NewApiKey]:
    """Take a new key in the place of yours; the old one works on for the overlap, so that no call fails."""
    overlap = timedelta(hours=request.overlap_hours)
    return Envelope(data=await service.api_keys.rotate(session, actor, key_id, overlap))


@router.delete("/api/v4/api-keys/{key_id}", status_code=204)
async def revoke_api_key(
    key_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.API_KEY_MANAGE, API_KEY_REVOKED)]
) -> None:
    """Revoke a key; within two seconds it opens nothing anywhere."""
    await service.api_keys.withdraw(session, actor, key_id)


@router.post(
    "/auth/accept-invitation",
    status_code=204,
    dependencies=[public("the invitation itself is the proof", INVITATION_ACCEPTED)],
)
async def accept_invitation(given: InvitationAcceptance, identity: OwnIdentity) -> None:
    """Set the password of the account that an invitation is for; then sign in with it."""
    await service.invitations.accept(identity, given.invitation.get_secret_value(), given.password.get_secret_value())


@router.get("/api/v4/roles")
async def roles(actor: Annotated[Actor, requires(Permission.PROFILE_READ)]) -> Envelope[list[RoleShown]]:
    """The roles that there are, and what each may do."""
    return Envelope(
        data=[
            RoleShown(name=name, bundles=bundles, permissions=tuple(sorted(permissions_of([name]))))
            for name, bundles in ROLES.items()
        ]
    )


@router.post("/api/v4/me/second-factor", status_code=201)
async def begin_second_factor(
    session: Session,
    identity: OwnIdentity,
    actor: Annotated[Actor, requires(Permission.SECOND_FACTOR_MANAGE, SECOND_FACTOR_BEGUN)],
) -> Envelope[SecondFactorSecret]:
    """A secret for your authenticator; it is in force once you have confirmed it with a code."""
    return Envelope(data=await service.second_factor.begin(session, identity.second_factors, actor))


@router.post("/api/v4/me/second-factor/confirm")
async def confirm_second_factor(
    given: Code,
    session: Session,
    identity: OwnIdentity,
    actor: Annotated[Actor, requires(Permission.SECOND_FACTOR_MANAGE, SECOND_FACTOR_CONFIRMED)],
) -> Envelope[RecoveryCodes]:
    """From here on signing in needs a code. The answer holds the recovery codes, once: keep them."""
    code = given.code.get_secret_value()
    return Envelope(data=await service.second_factor.confirm(session, identity.second_factors, actor, code))


@router.post("/api/v4/me/second-factor/remove", status_code=204)
async def remove_second_factor(
    given: Code,
    session: Session,
    identity: OwnIdentity,
    actor: Annotated[Actor, requires(Permission.SECOND_FACTOR_MANAGE, SECOND_FACTOR_REMOVED)],
) -> None:
    """Take your second factor out of force, with a code of it or a recovery code."""
    await service.second_factor.remove(session, identity.second_factors, actor, given.code.get_secret_value())


@router.get("/api/v4/admin/users")
async def users(
    session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE)], page: AskedPage
) -> Envelope[list[User]]:
    """The users of your organisation, by name."""
    return Envelope(data=await service.directory.users(session, actor, page))


@router.post("/api/v4/admin/users", status_code=201)
async def invite_user(
    request: UserInvitation,
    session: Session,
    actor: Annotated[Actor, requires(Permission.USER_MANAGE, USER_INVITED)],
) -> Envelope[Invitation]:
    """Add somebody, who sets their own password by the one-time invitation in the answer within 7 days."""
    return Envelope(data=await service.invitations.invite(session, actor, request))


@router.get("/api/v4/admin/users/{user_id}")
async def user(
    user_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE)]
) -> Envelope[User]:
    """One user of your organisation."""
    return Envelope(data=await service.directory.user(session, actor, user_id))


@router.post("/api/v4/admin/users/{user_id}/invitation", status_code=201)
async def invite_user_again(
    user_id: UUID,
    session: Session,
    actor: Annotated[Actor, requires(Permission.USER_MANAGE, USER_INVITED)],
) -> Envelope[Invitation]:
    """A new one-time way to set a password, for somebody who lost theirs or never used the first."""
    return Envelope(data=await service.invitations.invite_again(session, actor, user_id))


@router.post("/api/v4/admin/users/{user_id}/suspend")
async def suspend_user(
    user_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE, USER_SUSPENDED)]
) -> Envelope[User]:
    """Keep somebody out: their sessions, tokens and keys open nothing within two seconds."""
    return Envelope(data=await service.directory.suspend(session, actor, user_id))


@router.post("/api/v4/admin/users/{user_id}/resume")
async def resume_user(
    user_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE, USER_RESUMED)]
) -> Envelope[User]:
    """Let somebody in again; they sign in anew, and their keys work again."""
    return Envelope(data=await service.directory.resume(session, actor, user_id))


@router.post("/api/v4/admin/users/{user_id}/offboard")
async def offboard_user(
    user_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE, USER_OFFBOARDED)]
) -> Envelope[AccountExport]:
    """Take roles, groups, keys and password from somebody who leaves; the answer is what was known of the account.

    What they did stays in the record, under their id.
    """
    return Envelope(data=await service.directory.offboard(session, actor, user_id))


@router.delete("/api/v4/admin/users/{user_id}/second-factor")
async def remove_second_factor_of_user(
    user_id: UUID, session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE, SECOND_FACTOR_REMOVED)]
) -> Envelope[User]:
    """Take the second factor from somebody who lost their device and recovery codes."""
    return Envelope(data=await service.directory.remove_second_factor(session, actor, user_id))


@router.put("/api/v4/admin/users/{user_id}/roles")
async def set_roles_of_user(
    user_id: UUID,
    request: RolesOf,
    session: Session,
    actor: Annotated[Actor, requires(Permission.USER_MANAGE, ROLE_BOUND)],
) -> Envelope[User]:
    """Give somebody these roles and no others, in force at once."""
    return Envelope(data=await service.directory.set_roles(session, actor, user_id, request.roles))


@router.put("/api/v4/admin/users/{user_id}/groups")
async def set_groups_of_user(
    user_id: UUID,
    request: GroupsOf,
    session: Session,
    actor: Annotated[Actor, requires(Permission.USER_MANAGE, GROUP_JOINED)],
) -> Envelope[User]:
    """Put somebody into these groups and no others, in force at once."""
    return Envelope(data=await service.directory.set_groups(session, actor, user_id, request.groups))


@router.get("/api/v4/admin/groups")
async def groups(
    session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE)], page: AskedPage
) -> Envelope[list[Group]]:
    """The groups of your organisation, by name."""
    return Envelope(data=await service.groups.groups(session, actor, page))


@router.put("/api/v4/admin/groups/{name}/roles")
async def set_roles_of_group(
    name: GroupInPath,
    request: RolesOf,
    session: Session,
    actor: Annotated[Actor, requires(Permission.USER_MANAGE, ROLE_BOUND)],
) -> Envelope[Group]:
    """Give all members of a group these roles; a group that there is not yet is made."""
    return Envelope(data=await service.groups.set_roles(session, actor, name, request.roles))


@router.delete("/api/v4/admin/groups/{name}", status_code=204)
async def remove_group(
    name: GroupInPath, session: Session, actor: Annotated[Actor, requires(Permission.USER_MANAGE, GROUP_REMOVED)]
) -> None:
    """Remove a group; its members lose what they held by it."""
    await service.groups.remove(session, actor, name)


@router.get("/api/v4/admin/organizations")
async def organisations(
    db: Db, actor: Annotated[Actor, requires(Permission.ORGANISATION_MANAGE)], page: AskedPage
) -> Envelope[list[OrganisationEntry]]:
    """Every organisation of the platform."""
    return Envelope(data=await service.organisations.organisations(db, page))


@router.post("/api/v4/admin/organizations", status_code=201)
async def found_organisation(
    request: OrganisationFounding,
    db: Db,
    actor: Annotated[Actor, requires(Permission.ORGANISATION_MANAGE, ORGANISATION_FOUNDED)],
) -> Envelope[OrganisationFounded]:
    """Make an organisation; the answer holds the one-time invitation of its first administrator."""
    organisation, invitation = await service.organisations.found(db, actor, request)
    return Envelope(data=OrganisationFounded(organization=organisation, administrator=invitation))


@router.post("/api/v4/admin/organizations/{org_id}/suspend")
async def suspend_organisation(
    org_id: UUID, db: Db, actor: Annotated[Actor, requires(Permission.ORGANISATION_MANAGE, ORGANISATION_SUSPENDED)]
) -> Envelope[OrganisationEntry]:
    """Keep everybody of an organisation out; what it has stays."""
    return Envelope(data=await service.organisations.suspend(db, actor, org_id))


@router.post("/api/v4/admin/organizations/{org_id}/resume")
async def resume_organisation(
    org_id: UUID, db: Db, actor: Annotated[Actor, requires(Permission.ORGANISATION_MANAGE, ORGANISATION_RESUMED)]
) -> Envelope[OrganisationEntry]:
    """Let the people of an organisation in again."""
    return Envelope(data=await service.organisations.resume(db, actor, org_id))


@router.get("/.well-known/jwks.json", dependencies=[public("public keys are for everybody")])
async def signing_keys(identity: OwnIdentity, response: Response) -> KeySet:
    """The public keys that access tokens are signed with."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return await identity.keys.published()


@router.get("/api/v4/me")
async def me(session: Session, actor: Annotated[Actor, requires(Permission.PROFILE_READ)]) -> Envelope[Me]:
    """Who you are, and what you may do."""
    return Envelope(data=await service.me(session, actor))
