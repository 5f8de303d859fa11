"""Identity's work: accounts, sessions, tokens and the keys they are signed with."""

from promptcraft.identity.service.authentication import authenticate
from promptcraft.identity.service.opening import Identity, open_identity
from promptcraft.identity.service.people import add_user, bootstrap, found_organisation, me
from promptcraft.identity.service.sessions import end, renew, sign_in

__all__ = [
    "Identity",
    "add_user",
    "authenticate",
    "bootstrap",
    "end",
    "found_organisation",
    "me",
    "open_identity",
    "renew",
    "sign_in",
]
