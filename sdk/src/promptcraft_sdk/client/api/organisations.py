"""Users, groups, organisations."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from promptcraft_sdk.client.api.making import TRANSFER_TIME_LIMIT, data_of, get, list_of, nothing, post, put, texts
from promptcraft_sdk.client.schemas import (
    AccountExport,
    Group,
    Invitation,
    Offboarding,
    OrganisationEntry,
    OrganisationFounded,
    User,
)
from promptcraft_sdk.client.wire import Call, reader

_USERS = "/api/v4/admin/users"
_GROUPS = "/api/v4/admin/groups"
_ORGANISATIONS = "/api/v4/admin/organizations"


def users() -> Call[list[User]]:
    return list_of(_USERS, User)


def user(user_id: UUID) -> Call[User]:
    return get(_USERS + "/{user_id}", User, user_id=user_id)


def invite_user(
    username: str, *, display_name: str | None = None, roles: Sequence[str] | None = None, groups: Sequence[str] = ()
) -> Call[Invitation]:
    """Add somebody, who sets their own password by the invitation; viewer where no role is named."""
    body = {"username": username, "display_name": display_name, "roles": roles, "groups": groups or None}
    return post(_USERS, Invitation, {key: value for key, value in body.items() if value is not None})


def invite_user_again(user_id: UUID) -> Call[Invitation]:
    """A new one-time way to set a password; the one before is worth nothing."""
    return post(_USERS + "/{user_id}/invitation", Invitation, {}, user_id=user_id)


def suspend_user(user_id: UUID) -> Call[User]:
    return post(_USERS + "/{user_id}/suspend", User, {}, user_id=user_id)


def resume_user(user_id: UUID) -> Call[User]:
    return post(_USERS + "/{user_id}/resume", User, {}, user_id=user_id)


def offboard_user(user_id: UUID) -> Call[AccountExport]:
    """Take everything from somebody who leaves; the answer is what was known of the account."""
    return post(_USERS + "/{user_id}/offboard", AccountExport, {}, user_id=user_id)


def remove_second_factor_of_user(user_id: UUID) -> Call[User]:
    """For somebody who lost their device and recovery codes."""
    path = _USERS + "/{user_id}/second-factor"
    return Call("DELETE", path, data_of(User), path_values=texts({"user_id": user_id}))


def set_user_roles(user_id: UUID, roles: Sequence[str]) -> Call[User]:
    """These roles and no others."""
    return put(_USERS + "/{user_id}/roles", User, {"roles": roles}, user_id=user_id)


def set_user_groups(user_id: UUID, groups: Sequence[str]) -> Call[User]:
    """These groups and no others."""
    return put(_USERS + "/{user_id}/groups", User, {"groups": groups}, user_id=user_id)


def groups() -> Call[list[Group]]:
    return list_of(_GROUPS, Group)


def set_group_roles(name: str, roles: Sequence[str]) -> Call[Group]:
    """These roles for every member, and no others; a group that there is not yet is made."""
    return put(_GROUPS + "/{name}/roles", Group, {"roles": roles}, name=name)


def remove_group(name: str) -> Call[None]:
    return Call("DELETE", _GROUPS + "/{name}", nothing, path_values={"name": name})


def organisations() -> Call[list[OrganisationEntry]]:
    """Every organisation of the platform, for its administrators."""
    return list_of(_ORGANISATIONS, OrganisationEntry)


def found_organisation(slug: str, name: str, administrator: str) -> Call[OrganisationFounded]:
    """Make an organisation and invite its first administrator."""
    return post(_ORGANISATIONS, OrganisationFounded, {"slug": slug, "name": name, "administrator": administrator})


def suspend_organisation(org_id: UUID) -> Call[OrganisationEntry]:
    return post(_ORGANISATIONS + "/{org_id}/suspend", OrganisationEntry, {}, org_id=org_id)


def resume_organisation(org_id: UUID) -> Call[OrganisationEntry]:
    return post(_ORGANISATIONS + "/{org_id}/resume", OrganisationEntry, {}, org_id=org_id)


def offboard_organisation(org_id: UUID, slug: str) -> Call[Offboarding]:
    """Export everything of an organisation, end its agents, sessions and keys, and close it; `slug` confirms which."""
    return post(_ORGANISATIONS + "/{org_id}/offboard", Offboarding, {"slug": slug}, org_id=org_id)


def offboarding(org_id: UUID) -> Call[Offboarding]:
    return get(_ORGANISATIONS + "/{org_id}/offboarding", Offboarding, org_id=org_id)


def organisation_export(org_id: UUID) -> Call[bytes]:
    """The zip archive of everything that an organisation had, once it is written."""
    return Call(
        "GET",
        _ORGANISATIONS + "/{org_id}/offboarding/export",
        bytes,
        path_values=texts({"org_id": org_id}),
        accept="*/*",
        time_limit=TRANSFER_TIME_LIMIT,
    )


def signing_keys() -> Call[dict[str, Any]]:
    """The public keys of access tokens, as a JSON Web Key Set."""
    return Call("GET", "/.well-known/jwks.json", reader(TypeAdapter(dict[str, Any])), signed=False)
