"""Identity's work: accounts, sessions, API keys, tokens and the keys they are signed with."""

from promptcraft.identity.service.api_keys import listed as list_api_keys
from promptcraft.identity.service.api_keys import make as make_api_key
from promptcraft.identity.service.api_keys import rotate as rotate_api_key
from promptcraft.identity.service.api_keys import withdraw as revoke_api_key
from promptcraft.identity.service.authentication import authenticate, surrender
from promptcraft.identity.service.opening import Identity, open_identity
from promptcraft.identity.service.people import add_user, bootstrap, found_organisation, me
from promptcraft.identity.service.revocation import forget_revocations
from promptcraft.identity.service.sessions import end, renew, sign_in
from promptcraft.identity.service.sessions import listed as list_sessions

__all__ = [
    "Identity",
    "add_user",
    "authenticate",
    "bootstrap",
    "end",
    "forget_revocations",
    "found_organisation",
    "list_api_keys",
    "list_sessions",
    "make_api_key",
    "me",
    "open_identity",
    "renew",
    "revoke_api_key",
    "rotate_api_key",
    "sign_in",
    "surrender",
]
