"""Signing in, sessions, keys of programs."""

from collections.abc import Sequence
from uuid import UUID

from promptcraft_sdk.client.api.making import credential_exchange, get, json_of, list_of, nothing, post, texts
from promptcraft_sdk.client.schemas import (
    ApiKey,
    LoginSession,
    Me,
    NewApiKey,
    RecoveryCodes,
    Role,
    SecondFactorSecret,
    Token,
)
from promptcraft_sdk.client.wire import Call

_SECOND_FACTOR = "/api/v4/me/second-factor"
_API_KEYS = "/api/v4/api-keys"


def sign_in(username: str, password: str, code: str | None = None) -> Call[Token]:
    """`code` is of the account's second factor, if it has one."""
    body = {"username": username, "password": password}
    return credential_exchange(body if code is None else {**body, "code": code})


def renew(session: str) -> Call[Token]:
    """A new access token, and the session credential to come with next, for one that was not used yet."""
    return credential_exchange({"session": session})


def sign_out() -> Call[None]:
    return Call("POST", "/auth/logout", nothing)


def me() -> Call[Me]:
    return get("/api/v4/me", Me)


def revoke(credential: str) -> Call[None]:
    """Revoke an access token, a session credential or an API key that one holds, or found."""
    return Call("POST", "/auth/revoke", nothing, body=json_of({"token": credential}), signed=False)


def begin_second_factor() -> Call[SecondFactorSecret]:
    """A secret for one's authenticator, in force once it is confirmed with a code."""
    return post(_SECOND_FACTOR, SecondFactorSecret, {})


def confirm_second_factor(code: str) -> Call[RecoveryCodes]:
    return post(_SECOND_FACTOR + "/confirm", RecoveryCodes, {"code": code})


def remove_second_factor(code: str) -> Call[None]:
    return Call("POST", _SECOND_FACTOR + "/remove", nothing, body=json_of({"code": code}))


def sessions() -> Call[list[LoginSession]]:
    """Where one is signed in, the newest first."""
    return list_of("/api/v4/sessions", LoginSession)


def end_session(session_id: UUID) -> Call[None]:
    return Call("DELETE", "/api/v4/sessions/{session_id}", nothing, path_values=texts({"session_id": session_id}))


def create_api_key(
    name: str, *, permissions: Sequence[str] | None = None, expires_in_days: int | None = None
) -> Call[NewApiKey]:
    """A key for a program, with all of one's own permissions or with these."""
    body = {"name": name, "permissions": permissions, "expires_in_days": expires_in_days}
    return post(_API_KEYS, NewApiKey, {key: value for key, value in body.items() if value is not None})


def api_keys() -> Call[list[ApiKey]]:
    """One's keys, or all of the organisation's for whoever manages its users."""
    return list_of(_API_KEYS, ApiKey)


def rotate_api_key(key_id: UUID, *, overlap_hours: int | None = None) -> Call[NewApiKey]:
    """A new key in the place of an old one, which works on for the overlap."""
    body = {} if overlap_hours is None else {"overlap_hours": overlap_hours}
    return post(_API_KEYS + "/{key_id}/rotate", NewApiKey, body, key_id=key_id)


def revoke_api_key(key_id: UUID) -> Call[None]:
    return Call("DELETE", _API_KEYS + "/{key_id}", nothing, path_values=texts({"key_id": key_id}))


def accept_invitation(invitation: str, password: str) -> Call[None]:
    """Set the password of the account that an invitation is for."""
    body = {"invitation": invitation, "password": password}
    return Call("POST", "/auth/accept-invitation", nothing, body=json_of(body), signed=False)


def roles() -> Call[list[Role]]:
    """The roles that there are, and what each may do."""
    return get("/api/v4/roles", list[Role])
