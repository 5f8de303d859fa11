"""Access tokens (RFC 9068): five minutes, one algorithm per key, every claim checked."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import jwt

from promptcraft.identity.errors import TokenExpired, TokenInvalid
from promptcraft.identity.service.keys import SigningKeys, sign
from promptcraft.kernel import clock

AUDIENCE = "promptcraft-api"
CLIENT_ID = "promptcraft-hybrid"
LIFETIME = timedelta(minutes=5)
_LEEWAY = timedelta(seconds=10)
_MAX_LENGTH = 4_096
# Whatever else a header says (crit, b64, jwk, jku, x5u, zip, cty), no token of ours says it.
_HEADER = {"alg", "typ", "kid"}
_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid", "org")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    token_id: UUID
    org_id: UUID
    user_id: UUID
    session_id: UUID
    expires_at: datetime
    roles: tuple[str, ...]
    groups: tuple[str, ...]


async def issue(keys: SigningKeys, issuer: str, claims: Claims) -> str:
    """Sign an access token that says this."""
    now = clock.now()
    return sign(
        await keys.current(),
        {
            "iss": issuer,
            "sub": str(claims.user_id),
            "aud": AUDIENCE,
            "client_id": CLIENT_ID,
            "iat": int(now.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
            "jti": str(claims.token_id),
            "sid": str(claims.session_id),
            "org": str(claims.org_id),
            "roles": list(claims.roles),
            "groups": list(claims.groups),
        },
    )


async def verify(keys: SigningKeys, issuer: str, token: str) -> Claims:
    """Check a token and give what it says. Raises TokenInvalid, TokenExpired."""
    if len(token) > _MAX_LENGTH:
        raise TokenInvalid
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise TokenInvalid from None
    kid: Any = header.get("kid")
    key = await keys.named(kid) if isinstance(kid, str) else None
    if key is None or header.get("typ") != "at+jwt" or set(header) != _HEADER:
        raise TokenInvalid
    try:
        payload = jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=AUDIENCE,
            issuer=issuer,
            # Times are checked below, by the injected clock.
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        claims = _claims(payload)
        valid_from = datetime.fromtimestamp(max(payload["iat"], payload.get("nbf", 0)), UTC)
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, OSError):
        raise TokenInvalid from None
    if over(claims.expires_at):
        raise TokenExpired
    if valid_from - _LEEWAY > clock.now():
        raise TokenInvalid
    return claims


def over(expires_at: datetime) -> bool:
    """Whether a token of this end is refused now; clocks differ by a little."""
    return expires_at + _LEEWAY <= clock.now()


def _claims(payload: dict[str, Any]) -> Claims:
    return Claims(
        token_id=_identifier(payload["jti"]),
        org_id=_identifier(payload["org"]),
        user_id=_identifier(payload["sub"]),
        session_id=_identifier(payload["sid"]),
        expires_at=datetime.fromtimestamp(payload["exp"], UTC),
        roles=_names(payload.get("roles")),
        groups=_names(payload.get("groups")),
    )


def _identifier(value: Any) -> UUID:
    if not isinstance(value, str):
        raise TypeError("identifiers are text")
    return UUID(value)


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TypeError("roles and groups are lists")
    return tuple(str(name) for name in cast("list[Any]", value))
