"""Access tokens as RFC 9068 has them, and what forged ones get."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from promptcraft.kernel import clock
from tests.conftest import Platform
from tests.people import PASSWORD, Person


@pytest.fixture
async def token(alice: Person, nobody: httpx.AsyncClient) -> str:
    body = {"username": alice.name, "password": PASSWORD}
    return (await nobody.post("/auth/token", json=body)).json()["access_token"]


@pytest.fixture
async def knock(nobody: httpx.AsyncClient):
    """What somebody gets who comes with this token: status and code."""

    async def knocks(token: str, scheme: str = "Bearer") -> tuple[int, str]:
        answer = await nobody.get("/api/v4/me", headers={"Authorization": f"{scheme} {token}".encode()})
        return answer.status_code, answer.json().get("code", "")

    return knocks


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def our_key(platform: Platform) -> Any:
    return await platform.parts.identity.keys.current()


async def test_a_token_is_of_the_type_and_has_the_claims_of_rfc_9068(token: str, alice: Person, platform: Platform):
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})

    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert set(claims) == {
        "iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid", "org", "roles", "groups",
    }  # fmt: skip
    assert (claims["sub"], claims["org"]) == (str(alice.user_id), str(alice.org_id))
    assert claims["iss"] == platform.process.settings.app.address
    assert 299 <= claims["exp"] - claims["iat"] <= 300


async def test_a_stranger_verifies_a_token_by_the_published_keys_alone(token: str, nobody: httpx.AsyncClient):
    answer = await nobody.get("/.well-known/jwks.json")

    keys = jwt.PyJWKSet.from_dict(answer.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["ES256"], audience="promptcraft-api")["sub"]
    assert len(keys.keys) == 2
    assert all("d" not in key for key in answer.json()["keys"])
    assert answer.headers["cache-control"] == "public, max-age=300"


async def test_the_key_after_this_one_is_accepted_too(token: str, platform: Platform, knock):
    keys = platform.parts.identity.keys
    claims = jwt.decode(token, options={"verify_signature": False})
    present = (await keys.current()).kid
    kids = {key["kid"] for key in (await keys.published()).keys}
    following = await keys.named((kids - {present}).pop())
    assert following is not None

    other = jwt.encode(claims, following.private, "ES256", headers={"typ": "at+jwt", "kid": following.kid})

    assert await knock(other) == (200, "")


CHANGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another audience": lambda claims: {**claims, "aud": "another-api"},
    "another issuer": lambda claims: {**claims, "iss": "https://idp.example.org"},
    "no audience": lambda claims: {name: value for name, value in claims.items() if name != "aud"},
    "no end": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "no session": lambda claims: {name: value for name, value in claims.items() if name != "sid"},
    "no organisation": lambda claims: {name: value for name, value in claims.items() if name != "org"},
    "an end that is text": lambda claims: {**claims, "exp": "tomorrow"},
    "an end beyond all years": lambda claims: {**claims, "exp": 10**18},
    "made in the future": lambda claims: {**claims, "iat": claims["iat"] + 3600, "exp": claims["exp"] + 3600},
    "a subject that is a number": lambda claims: {**claims, "sub": 1},
    "an organisation that is a list": lambda claims: {**claims, "org": [claims["org"]]},
    "roles that are text": lambda claims: {**claims, "roles": "admin"},
}


@pytest.mark.parametrize("change", CHANGES)
async def test_claims_that_are_wrong_are_refused_although_the_signature_is_right(
    token: str, platform: Platform, knock, change: str
):
    key = await our_key(platform)
    claims = CHANGES[change](jwt.decode(token, options={"verify_signature": False}))
    forged = jwt.api_jws.encode(
        json.dumps(claims).encode(), key.private, "ES256", headers={"typ": "at+jwt", "kid": key.kid}
    )

    assert await knock(forged) == (401, "token_invalid")


@pytest.mark.parametrize("typ", ["JWT", "id+jwt", None])
async def test_a_token_of_another_type_is_refused(token: str, platform: Platform, knock, typ: str | None):
    key = await our_key(platform)
    claims = jwt.decode(token, options={"verify_signature": False})

    assert await knock(jwt.encode(claims, key.private, "ES256", headers={"typ": typ, "kid": key.kid})) == (
        401,
        "token_invalid",
    )


async def test_an_expired_token_is_refused_and_told_so(token: str, knock):
    assert await knock(token) == (200, "")

    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=5, seconds=11)):
        assert await knock(token) == (401, "token_expired")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
async def test_a_token_without_signature_is_refused(token: str, knock, algorithm: str):
    header = {**jwt.get_unverified_header(token), "alg": algorithm}
    claims = jwt.decode(token, options={"verify_signature": False})

    assert await knock(f"{encoded(header)}.{encoded(claims)}.") == (401, "token_invalid")


async def test_the_public_key_is_no_shared_secret(token: str, nobody: httpx.AsyncClient, platform: Platform, knock):
    key = await our_key(platform)
    header = {**jwt.get_unverified_header(token), "alg": "HS256"}
    signed = f"{encoded(header)}.{token.split('.')[1]}"
    for secret in (
        key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(key.public_jwk).encode(),
        b"",
    ):
        mac = base64.urlsafe_b64encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest()).rstrip(b"=")
        assert await knock(f"{signed}.{mac.decode()}") == (401, "token_invalid")


@pytest.mark.parametrize("kid", ["unknown", "", "../../etc/passwd", None, 7, ["a"]])
async def test_a_key_that_is_not_ours_signs_nothing(token: str, knock, kid: object):
    foreign = ec.generate_private_key(ec.SECP256R1())
    header = {"alg": "ES256", "typ": "at+jwt", "kid": kid}
    signed = f"{encoded(header)}.{token.split('.')[1]}"
    signature = jwt.get_algorithm_by_name("ES256").sign(signed.encode(), foreign)

    assert await knock(f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}") == (
        401,
        "token_invalid",
    )


async def test_a_key_inside_the_token_is_not_asked(token: str, platform: Platform, knock):
    foreign = ec.generate_private_key(ec.SECP256R1())
    key = await our_key(platform)
    own = jwt.algorithms.ECAlgorithm.to_jwk(foreign.public_key(), as_dict=True)
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {"typ": "at+jwt", "kid": key.kid, "jwk": own, "jku": "https://evil.example.org/jwks.json"}

    assert await knock(jwt.encode(claims, foreign, "ES256", headers=headers)) == (401, "token_invalid")


async def test_a_changed_payload_breaks_the_signature(token: str, platform: Platform, knock):
    header, payload, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    richer = encoded({**claims, "roles": ["admin", "platform_admin"], "org": str(platform.rival)})

    assert await knock(f"{header}.{richer}.{signature}") == (401, "token_invalid")
    assert await knock(f"{header}.{payload}.{signature[:-4]}AAAA") == (401, "token_invalid")


@pytest.mark.parametrize("token_text", ["", ".", "..", "a.b.c", "ü.ö.ä", "x" * 5000, "\x00", "e30.e30.e30"])
async def test_what_is_no_token_at_all_is_refused(knock, token_text: str):
    assert await knock(token_text) == (401, "token_invalid")


async def test_a_token_by_another_scheme_is_refused(token: str, knock):
    assert await knock(token, "Basic") == (401, "token_invalid")


async def test_without_a_token_nobody_is_signed_in(nobody: httpx.AsyncClient):
    answer = await nobody.get("/api/v4/me")

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_credential_of_a_session_is_no_access_token(alice: Person, nobody: httpx.AsyncClient, knock):
    body = {"username": alice.name, "password": PASSWORD}
    session = (await nobody.post("/auth/token", json=body)).json()["session"]

    assert await knock(session) == (401, "token_invalid")
