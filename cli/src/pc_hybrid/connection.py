"""The client that a command talks through: which platform, and as whom."""

from pc_hybrid import environment
from pc_hybrid.credentials import CredentialStore
from pc_hybrid.failures import ExitCode, Failure
from promptcraft_sdk.client import Client, Credentials


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
    return Client(api_url, credentials, on_renewal=lambda renewed: store.keep(api_url, renewed))


def _given(token: str) -> Credentials:
    """A JSON Web Token has two dots; a session credential has none."""
    return Credentials(access_token=token) if token.count(".") == 2 else Credentials(session=token)
