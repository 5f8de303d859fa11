"""Identity: organisations, the people in them, their sessions and the tokens that prove who they are."""

from promptcraft.identity.errors import (
    ApiKeyRefused,
    LoginRefused,
    LoginThrottled,
    NameTaken,
    SessionOver,
    SessionRefused,
    TokenExpired,
    TokenInvalid,
)
from promptcraft.identity.schemas import FirstAdministrator, KeySet, Me, Organisation, TokenRequest, Tokens
from promptcraft.identity.service import (
    Identity,
    add_user,
    authenticate,
    bootstrap,
    forget_revocations,
    found_organisation,
    open_identity,
    renew,
    reset_password,
    sign_in,
)

__all__ = [
    "ApiKeyRefused",
    "FirstAdministrator",
    "Identity",
    "KeySet",
    "LoginRefused",
    "LoginThrottled",
    "Me",
    "NameTaken",
    "Organisation",
    "SessionOver",
    "SessionRefused",
    "TokenExpired",
    "TokenInvalid",
    "TokenRequest",
    "Tokens",
    "add_user",
    "authenticate",
    "bootstrap",
    "forget_revocations",
    "found_organisation",
    "open_identity",
    "renew",
    "reset_password",
    "sign_in",
]
