"""The client that a command talks through: which platform, and as whom."""

from pc_hybrid import environment
from pc_hybrid.credentials import CredentialStore
from pc_hybrid.failures import ExitCode, Failure
from promptcraft_sdk.client import Client, Credentials

_SESSION_PREFIX = "pcs_"


def connect() -> Client:
    """A client of the chosen platform, signed in.

    The address: PCH_API_URL, else the platform of the last login. The credentials: PCH_TOKEN, else those stored for
    that very address, so that no token ever goes to another.
    """
    here = environment.read()
    store = CredentialStore(here.config_dir)
    known = store.read()
    api_url = here.api_url or known.current
    if here.token:
        return Client(api_url, _given(here.token))
    credentials = known.platforms.get(api_url)
    if credentials is None:
        raise Failure(
            f"you are not signed in to {api_url}", exit_code=ExitCode.NOT_SIGNED_IN, next_step="pc-hybrid login"
        )
    return Client(
        api_url,
        credentials,
        on_renewal=lambda renewed: store.keep(api_url, renewed),
        renewing=lambda: store.renewing(api_url),
    )


def _given(token: str) -> Credentials:
    if token.startswith(_SESSION_PREFIX):
        raise Failure(
            "PCH_TOKEN holds a session credential, which can be used once",
            exit_code=ExitCode.USAGE,
            next_step="Make a key for programs:  pc-hybrid api-key create NAME",
        )
    return Credentials(access_token=token)
