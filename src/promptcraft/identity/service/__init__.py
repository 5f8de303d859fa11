"""Identity's work: accounts, sessions, API keys, tokens and the keys they are signed with."""

from promptcraft.identity.service import (
    api_keys,
    directory,
    groups,
    invitations,
    organisations,
    second_factor,
    sessions,
)
from promptcraft.identity.service.authentication import authenticate, surrender
from promptcraft.identity.service.first_aid import reset_password
from promptcraft.identity.service.opening import Identity, open_identity
from promptcraft.identity.service.organisations import (
    administering,
    begin_closing,
    close_organisation,
    organisation_there,
)
from promptcraft.identity.service.people import add_user, bootstrap, found_organisation, me
from promptcraft.identity.service.revocation import forget_revocations
from promptcraft.identity.service.sessions import renew, sign_in

__all__ = [
    "Identity",
    "add_user",
    "administering",
    "api_keys",
    "authenticate",
    "begin_closing",
    "bootstrap",
    "close_organisation",
    "directory",
    "forget_revocations",
    "found_organisation",
    "groups",
    "invitations",
    "me",
    "open_identity",
    "organisation_there",
    "organisations",
    "renew",
    "reset_password",
    "second_factor",
    "sessions",
    "sign_in",
    "surrender",
]
