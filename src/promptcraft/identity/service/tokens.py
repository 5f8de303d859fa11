"""Access tokens (RFC 9068): five minutes, one algorithm per key, every claim checked."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_decode, base64url_encode

from promptcraft.identity.errors import TokenExpired, TokenInvalid
from promptcraft.identity.service.keys import SigningKey, SigningKeys, sign
from promptcraft.kernel import clock

AUDIENCE = "promptcraft-api"
CLIENT_ID = "promptcraft-hybrid"
LIFETIME = timedelta(minutes=5)
_LEEWAY = timedelta(seconds=10)
_MAX_LENGTH = 4_096
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
# PyJWT's decode() reads the header twice and takes twice as long as the signature; its parts do not.
_ALGORITHMS = get_default_algorithms()


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
    if len(token) > _MAX_LENGTH or _COMPACT.fullmatch(token) is None:
        raise TokenInvalid
    signed, _, signature = token.rpartition(".")
    header, _, payload = signed.partition(".")
    key = await _key(keys, header)
    if key is None or not _is_signed(key, signed, signature):
        raise TokenInvalid
    try:
        given = orjson.loads(base64url_decode(payload))
        if given["iss"] != issuer or given["aud"] != AUDIENCE or not isinstance(given["client_id"], str):
            raise TokenInvalid
        claims = _claims(given)
        valid_from = datetime.fromtimestamp(max(given["iat"], given.get("nbf", 0)), UTC)
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        raise TokenInvalid from None
    if over(claims.expires_at):
        raise TokenExpired
    if valid_from - _LEEWAY > clock.now():
        raise TokenInvalid
    return claims


async def _key(keys: SigningKeys, header: str) -> SigningKey | None:
    """The key that a header names, if it is exactly the header of a token that we sign."""
    # All tokens of a key have one header, which is read once.
    known = keys.of_header(header)
    if known is not None:
        return known
    try:
        named: Any = orjson.loads(base64url_decode(header))
    except ValueError:
        return None
    if not isinstance(named, dict) or not isinstance(kid := cast("dict[str, Any]", named).get("kid"), str):
        return None
    key = await keys.named(kid)
    if key is None or named != {"typ": "at+jwt", "alg": key.algorithm, "kid": kid}:
        return None
    keys.remember_header(header, kid)
    return key


def _is_signed(key: SigningKey, signed: str, signature: str) -> bool:
    raw = base64url_decode(signature)
    # The last character has bits to spare: the one spelling of a signature is the signer's.
    if base64url_encode(raw).decode() != signature:
        return False
    return _ALGORITHMS[key.algorithm].verify(signed.encode(), key.public, raw)


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
