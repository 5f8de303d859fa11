"""Settings of identity: sessions, tokens, and the providers that a later version connects to."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import SecretStr

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting

_NO_SHARED_SECRET = (
    "would let every holder of one shared secret make tokens, so it is not offered",
    "write ES256, or leave JWT_ALGORITHM out",
)
_ALGORITHM = forms.choice(
    "ES256", "EdDSA", refused=dict.fromkeys(("hs256", "hs384", "hs512", "none"), _NO_SHARED_SECRET)
)


class IdentitySettings(ContextSettings):
    """Who may sign in, and for how long."""

    context: ClassVar[str] = "identity"

    jwt_secret: Annotated[
        SecretStr | None,
        Setting(forms.SECRET, "not used: tokens are signed by generated keys; accepted with a warning"),
    ] = None
    jwt_algorithm: Annotated[str, Setting(_ALGORITHM, "algorithm of new signing keys")] = "ES256"
    jwt_expiration_hours: Annotated[
        timedelta,
        Setting(
            forms.duration("h"),
            "absolute lifetime of a login session, at most 24 hours; access tokens live 5 minutes",
            unset="12",
        ),
    ] = timedelta(hours=12)
    allowed_organizations: Annotated[
        tuple[str, ...],
        Setting(forms.SLUGS, "the only organisations that may sign in", unset="every active organisation"),
    ] = ()
    require_mfa: Annotated[
        bool, Setting(forms.FLAG, "a session without a second factor may set one up and do nothing else")
    ] = False

    keycloak_url: Annotated[
        str | None, Setting(addresses.WEB, "Keycloak of the first OIDC connection", effect=False)
    ] = None
    keycloak_realm: Annotated[str | None, Setting(forms.WORD, "its realm", effect=False)] = None
    keycloak_client_id: Annotated[str | None, Setting(forms.WORD, "our client in it", effect=False)] = None
    keycloak_client_secret: Annotated[
        SecretStr | None, Setting(forms.SECRET, "secret of that client", effect=False)
    ] = None
    keycloak_admin_user: Annotated[
        str | None, Setting(forms.WORD, "administrator that makes the realm's objects, once", effect=False)
    ] = None
    keycloak_admin_password: Annotated[
        SecretStr | None, Setting(forms.SECRET, "password of that administrator", effect=False)
    ] = None
    saml_idp_url: Annotated[
        str | None, Setting(addresses.WEB, "metadata of the first SAML connection", effect=False)
    ] = None
    saml_entity_id: Annotated[
        str | None, Setting(forms.WORD, "our entity id", effect=False, unset="from the public address")
    ] = None
    saml_acs_url: Annotated[
        str | None,
        Setting(addresses.WEB, "our assertion consumer service", effect=False, unset="from the public address"),
    ] = None
    saml_certificate_path: Annotated[
        Path | None, Setting(forms.PATH, "our certificate", effect=False, unset="generated and rotated")
    ] = None
    saml_private_key_path: Annotated[Path | None, Setting(forms.PATH, "its private key", effect=False)] = None
