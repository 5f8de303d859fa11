"""The client that a command talks through: which platform, and as whom."""

from pc_hybrid import environment
from pc_hybrid.contexts import target
from pc_hybrid.credentials import CredentialStore
from pc_hybrid.failures import ExitCode, Failure
from promptcraft_sdk.client import Client, Credentials

_SESSION_PREFIX = "pcs_"


def connect() -> Client:
    """A client of the chosen platform, signed in: by PCH_TOKEN, else by what is kept in the context."""
    store = CredentialStore(environment.read().config_dir)
    chosen = target(store.read(), store.file)
    api_url, context, credentials = chosen.api_url.value, chosen.context, chosen.credentials
    if chosen.token:
        return Client(api_url, _given(chosen.token))
    if context is None or credentials is None:
        login = "pc-hybrid login" + (f" --context {context}" if context and chosen.name.origin == "flag" else "")
        raise Failure(f"you are not signed in to {api_url}", exit_code=ExitCode.NOT_SIGNED_IN, next_step=login)
    return Client(
        api_url,
        credentials,
        on_renewal=lambda renewed: store.keep(context, api_url, renewed),
        renewing=lambda: store.renewing(context),
    )


def _given(token: str) -> Credentials:
    if token.startswith(_SESSION_PREFIX):
        raise Failure(
            "PCH_TOKEN holds a session credential, which can be used once",
            exit_code=ExitCode.USAGE,
            next_step="Make a key for programs:  pc-hybrid api-key create NAME",
        )
    return Credentials(access_token=token)
