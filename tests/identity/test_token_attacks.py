"""Forged tokens of every known kind: each is refused as any bad token is, tells nothing, and is in the log."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm
from sqlalchemy import text

from promptcraft.identity.service.keys import SigningKey
from promptcraft.kernel import clock
from promptcraft.kernel.audit.catalogue.kernel import AUTHENTICATION_REFUSED
from promptcraft.kernel.db import system_unit_of_work
from tests.conftest import Platform
from tests.people import PASSWORD, Person, arrive

# The order of the group of P-256; -r and n - r are the same signature to some.
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256 = ec.generate_private_key(ec.SECP256R1())
MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "next_step"}
VECTORS = json.loads((Path(__file__).parent / "wycheproof_jws.json").read_text())["groups"]


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def part(value: object) -> str:
    return b64(json.dumps(value).encode())


def unb64(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


@dataclass(frozen=True)
class Stolen:
    """What an attacker has: a good token, and the public key that it is verified by."""

    token: str
    key: SigningKey

    @property
    def header(self) -> dict[str, Any]:
        return jwt.get_unverified_header(self.token)

    @property
    def claims(self) -> dict[str, Any]:
        return jwt.decode(self.token, options={"verify_signature": False})

    @property
    def admin(self) -> dict[str, Any]:
        return {**self.claims, "roles": ["admin", "platform_admin"]}

    @property
    def signature(self) -> bytes:
        return unb64(self.token.split(".")[2])

    def with_signature(self, signature: bytes) -> str:
        return f"{self.token.rpartition('.')[0]}.{b64(signature)}"

    def forged(self, key: Any = P256, algorithm: str = "ES256", **header: Any) -> str:
        """A token for an administrator by the attacker's own key."""
        named = {name: value for name, value in {**self.header, "alg": algorithm, **header}.items() if value != ...}
        signed = f"{part(named)}.{part(self.admin)}"
        mac = jwt.get_algorithm_by_name(algorithm)
        return f"{signed}.{b64(mac.sign(signed.encode(), mac.prepare_key(key)))}"

    def keyed(self, secret: bytes, algorithm: str = "HS256") -> str:
        """A token by a shared secret that is none."""
        signed = f"{part({**self.header, 'alg': algorithm})}.{part(self.admin)}"
        mac = hmac.new(secret, signed.encode(), {"HS256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm])
        return f"{signed}.{b64(mac.digest())}"

    def ours(self, claims: dict[str, Any] | bytes, **header: Any) -> str:
        """A token that our own key signed: what another part of the platform might be made to sign."""
        named = {name: value for name, value in {**self.header, **header}.items() if value != ...}
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signed = f"{part(named)}.{b64(payload)}"
        return f"{signed}.{b64(jwt.get_algorithm_by_name('ES256').sign(signed.encode(), self.key.private))}"


def point(private: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    return ECAlgorithm.to_jwk(private.public_key(), as_dict=True)


def certificate(private: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "promptcraft")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC)).sign(private, hashes.SHA256())
    )  # fmt: skip
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def pair(r: int, s: int) -> bytes:
    return r.to_bytes(32) + s.to_bytes(32)


def der(signature: bytes) -> bytes:
    integers = b""
    for half in (signature[:32], signature[32:]):
        number = int.from_bytes(half)
        content = number.to_bytes(number.bit_length() // 8 + 1)
        integers += b"\x02" + bytes([len(content)]) + content
    encoded = b"\x30" + bytes([len(integers)]) + integers
    assert decode_dss_signature(encoded) == (int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    return encoded


def twice(value: dict[str, Any], name: str, first: Any) -> bytes:
    """JSON with a member that is there two times; parsers differ about which of them counts."""
    return (
        b"{" + json.dumps(name).encode() + b": " + json.dumps(first).encode() + b", " + json.dumps(value).encode()[1:]
    )


def doubled_header(of: Stolen) -> str:
    header = b64(twice({**of.header, "alg": "none"}, "alg", "ES256"))
    return f"{header}.{part(of.admin)}."


def pem(of: Stolen) -> bytes:
    return of.key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


Attack = Callable[[Stolen], str]

FORGED: dict[str, Attack] = {
    **{
        f"algorithm {name!r} without signature": lambda of, name=name: (
            f"{part({**of.header, 'alg': name})}.{part(of.admin)}."
        )
        for name in ("none", "None", "NONE", "nOnE", "none ", "", None, 0, ["none"], "HS256", "ES256")
    },
    "algorithm none with the old signature": lambda of: (
        f"{part({**of.header, 'alg': 'none'})}.{of.token.partition('.')[2]}"
    ),
    "no algorithm": lambda of: f"{part({'typ': 'at+jwt', 'kid': of.key.kid})}.{part(of.admin)}.",
    "no algorithm, signed": lambda of: of.forged(alg=...),
    "no signature": lambda of: f"{of.token.rpartition('.')[0]}.",
    "neither signature nor its dot": lambda of: of.token.rpartition(".")[0],
    "HS256 by the public key as PEM": lambda of: of.keyed(pem(of)),
    "HS256 by the public key as PEM without its last line end": lambda of: of.keyed(pem(of).strip()),
    "HS512 by the public key as PEM": lambda of: of.keyed(pem(of), "HS512"),
    "HS256 by the public key as DER": lambda of: of.keyed(
        of.key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ),
    "HS256 by the public point": lambda of: of.keyed(
        of.key.public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    ),
    "HS256 by the published JWK": lambda of: of.keyed(json.dumps(of.key.public_jwk).encode()),
    "HS256 by the key id": lambda of: of.keyed(of.key.kid.encode()),
    "HS256 by nothing": lambda of: of.keyed(b""),
    "the attacker's key": lambda of: of.forged(),
    "the attacker's key in jwk": lambda of: of.forged(jwk=point(P256)),
    "the attacker's key in jwk and no kid": lambda of: of.forged(jwk=point(P256), kid=...),
    "the attacker's keys at jku": lambda of: of.forged(jku="https://evil.example/jwks.json"),
    "the attacker's keys at a jku of this host": lambda of: of.forged(jku="http://127.0.0.1/.well-known/jwks.json"),
    "the attacker's certificate in x5c": lambda of: of.forged(x5c=[certificate(P256)]),
    "the attacker's certificate at x5u": lambda of: of.forged(x5u="https://evil.example/cert.pem"),
    "the attacker's x5t": lambda of: of.forged(x5t="AAAA", **{"x5t#S256": "AAAA"}),
    **{
        f"kid {kid!r}": lambda of, kid=kid: of.forged(kid=kid)
        for kid in (
            "../../../../dev/null", "/dev/null", "' or '1'='1", "x' union select 'key", "$(id)", "%00", "\u0000",
            "http://evil.example/key", "", "a" * 2_000, None, 0, True, [], {}, {"$ne": ""},
        )
    },
    "kid in other letters": lambda of: of.forged(kid=of.key.kid.upper() + " "),
    "another curve": lambda of: of.forged(ec.generate_private_key(ec.SECP384R1()), "ES384"),
    "another curve under our algorithm": lambda of: (
        f"{of.token.rpartition('.')[0]}."
        + b64(
            jwt.get_algorithm_by_name("ES384").sign(
                of.token.rpartition(".")[0].encode(), ec.generate_private_key(ec.SECP384R1())
            )
        )
    ),
    "secp256k1": lambda of: of.forged(ec.generate_private_key(ec.SECP256K1()), "ES256K"),
    "RSA": lambda of: of.forged(rsa.generate_private_key(65537, 2048), "RS256"),
    "RSA-PSS": lambda of: of.forged(rsa.generate_private_key(65537, 2048), "PS256"),
    "a psychic signature": lambda of: of.with_signature(pair(0, 0)),
    "r = 0": lambda of: of.with_signature(pair(0, 1)),
    "s = 0": lambda of: of.with_signature(pair(1, 0)),
    "r = s = 1": lambda of: of.with_signature(pair(1, 1)),
    "r = s = n": lambda of: of.with_signature(pair(N, N)),
    "r = s = n - 1": lambda of: of.with_signature(pair(N - 1, N - 1)),
    "a signature in DER": lambda of: of.with_signature(der(of.signature)),
    "a signature with a byte more": lambda of: of.with_signature(of.signature + b"\x00"),
    "a signature with a byte before": lambda of: of.with_signature(b"\x00" + of.signature),
    "a signature with a byte less": lambda of: of.with_signature(of.signature[:-1]),
    "halves of a signature in the other order": lambda of: of.with_signature(of.signature[32:] + of.signature[:32]),
    "header members twice, the last without algorithm": doubled_header,
    "claims twice, under the old signature": lambda of: (
        f"{of.token.split('.')[0]}.{b64(twice(of.claims, 'sub', 'admin'))}.{of.token.split('.')[2]}"
    ),
    "a token inside a token": lambda of: of.forged(cty="JWT") + "." + of.token,
    "four parts": lambda of: of.token + ".AAAA",
    "five parts, as if encrypted": lambda of: f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..AAAA.AAAA.AAAA",
    "JSON serialization": lambda of: json.dumps(
        dict(zip(("protected", "payload", "signature"), of.token.split("."), strict=True))
    ),
    "spaces inside": lambda of: of.token.replace(".", " ."),
    "padding": lambda of: ".".join(segment + "==" for segment in of.token.split(".")),
    "standard base64": lambda of: of.with_signature(b"\xfb\xff" * 32).replace("-", "+").replace("_", "/"),
    "a header that is a list": lambda of: f"{part([1])}.{of.token.partition('.')[2]}",
    "a header that is no JSON": lambda of: f"{b64(b'{')}.{of.token.partition('.')[2]}",
    "a header in UTF-16": lambda of: f"{b64(json.dumps(of.header).encode('utf-16'))}.{of.token.partition('.')[2]}",
    "a header nested without end": lambda of: f"{b64(b'[' * 2_500)}.{of.token.partition('.')[2]}",
    "claims nested without end": lambda of: of.ours(b'{"a":' + b"[" * 2_000),
    "a number without end": lambda of: of.ours(b'{"exp":' + b"9" * 2_500 + b"}"),
    "huge": lambda of: of.ours({**of.claims, "more": "x" * 5_000}),
}  # fmt: skip


def without(name: str) -> Attack:
    return lambda of: of.ours({claim: value for claim, value in of.claims.items() if claim != name})


# By our own key: had another part of the platform signed this, it would be no access token still.
CONFUSED: dict[str, Attack] = {
    **{
        f"no {name}": without(name) for name in ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "sid", "org")
    },
    **{
        f"{name} is {value!r}": lambda of, name=name, value=value: of.ours({**of.claims, name: value})
        for name, value in (
            ("iss", "https://evil.example"), ("iss", ["http://127.0.0.1"]), ("iss", ""), ("iss", None),
            ("aud", "promptcraft"), ("aud", "promptcraft-api "), ("aud", "PROMPTCRAFT-API"), ("aud", []), ("aud", None),
            ("aud", {"promptcraft-api": 1}), ("sub", "admin"), ("sub", None), ("sub", ["x"]), ("sub", "' or true --"),
            ("exp", "9999999999"), ("exp", None), ("exp", [9999999999]), ("exp", 10**30), ("exp", -(10**30)),
            ("iat", "now"), ("iat", None), ("iat", 10**30), ("sid", 7), ("sid", "x"), ("org", None), ("org", "acme"),
            ("org", "*"), ("jti", 1), ("jti", ""), ("roles", {"admin": True}), ("groups", "engineering"),
        )
    },
    "part of the issuer": lambda of: of.ours({**of.claims, "iss": of.claims["iss"][:-1]}),
    "more than the issuer": lambda of: of.ours({**of.claims, "iss": of.claims["iss"] + "/"}),
    "no end to it, by infinity": lambda of: of.ours(
        json.dumps({**of.claims, "exp": float("inf")}).encode()
    ),
    "no number for an end": lambda of: of.ours(json.dumps({**of.claims, "exp": float("nan")}).encode()),
    "not valid yet": lambda of: of.ours({**of.claims, "nbf": of.claims["iat"] + 3_600}),
    "issued in an hour": lambda of: of.ours(
        {**of.claims, "iat": of.claims["iat"] + 3_600, "exp": of.claims["exp"] + 3_600}
    ),
    **{
        f"type {typ!r}": lambda of, typ=typ: of.ours(of.claims, typ=typ)
        for typ in ("JWT", "jwt", "id+jwt", "logout+jwt", "at+JWT", "application/at+jwt", "dpop+jwt", "", None, 1)
    },
    "no type": lambda of: of.ours(of.claims, typ=...),
    "a critical extension": lambda of: of.ours(of.claims, crit=["exp"], exp=9_999_999_999),
    "a critical extension that nobody knows": lambda of: of.ours(of.claims, crit=["x"], x=1),
    "no critical extension": lambda of: of.ours(of.claims, crit=[]),
    "an unencoded payload": lambda of: of.ours(of.claims, crit=["b64"], b64=False),
    "an unencoded payload that is not critical": lambda of: of.ours(of.claims, b64=False),
    "a compressed payload": lambda of: of.ours(of.claims, zip="DEF"),
    "a nested token": lambda of: of.ours(of.token.encode(), cty="JWT"),
    "a nested token that says nothing of it": lambda of: of.ours(of.token.encode()),
    "a key of its own": lambda of: of.ours(of.claims, jwk=point(P256)),
    "an address of keys": lambda of: of.ours(of.claims, jku="https://evil.example/jwks.json"),
    "claims that are a list": lambda of: of.ours(b"[]"),
    "claims that are text": lambda of: of.ours(b'"admin"'),
    "no claims": lambda of: of.ours(b""),
    "claims that are no UTF-8": lambda of: of.ours(b'{"sub": "\xff"}'),
}  # fmt: skip


@pytest.fixture(scope="module")
async def victim(platform: Platform) -> AsyncIterator[Person]:
    somebody = await arrive(platform.parts.identity, platform.asgi, platform.acme, "victim", ("admin",))
    yield somebody
    await somebody.client.aclose()


@pytest.fixture(scope="module")
async def session(platform: Platform, victim: Person) -> list[str]:
    """The credential that renews the session; each renewal puts the next one here."""
    answer = await victim.post("/auth/token", {"username": victim.name, "password": PASSWORD})
    return [answer.json()["session"]]


@pytest.fixture
async def stolen(platform: Platform, victim: Person, session: list[str]) -> Stolen:
    renewed = (await victim.post("/auth/token", {"session": session.pop()})).json()
    session.append(renewed["session"])
    return Stolen(renewed["access_token"], await platform.parts.identity.keys.current())


async def refused(platform: Platform, nobody: httpx.AsyncClient, token: str, code: str = "token_invalid") -> None:
    """The one answer to all of these, and the one event."""
    answer = await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {token}".encode()})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["status"]) == (401, code, 401)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == f'Bearer realm="promptcraft", error="{code}"'
    assert set(problem) == MEMBERS
    assert problem["type"] == f"urn:promptcraft:problem:{code}"
    assert problem["detail"] == problem["title"]
    async with system_unit_of_work(platform.db) as session:
        left = await session.execute(
            text("select catalogue_id, user_id, canonical from audit.event where request_id = :id"),
            {"id": problem["request_id"]},
        )
        [(event, user, document)] = left.all()
    assert (event, user) == (AUTHENTICATION_REFUSED.id, None)
    assert json.loads(document)["details"]["reason"] == code
    assert json.loads(document)["outcome"]["status_code"] == 401


async def test_the_token_that_the_attacks_start_from_is_good(stolen: Stolen, nobody: httpx.AsyncClient):
    for token in (stolen.token, stolen.ours(stolen.claims)):
        answer = await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


@pytest.mark.parametrize("attack", FORGED)
async def test_a_forged_token_is_refused(platform: Platform, nobody: httpx.AsyncClient, stolen: Stolen, attack: str):
    await refused(platform, nobody, FORGED[attack](stolen))


@pytest.mark.parametrize("attack", CONFUSED)
async def test_what_our_key_signed_for_another_purpose_is_no_access_token(
    platform: Platform, nobody: httpx.AsyncClient, stolen: Stolen, attack: str
):
    await refused(platform, nobody, CONFUSED[attack](stolen))


async def test_an_expired_token_is_told_so_and_is_in_the_log(
    platform: Platform, nobody: httpx.AsyncClient, stolen: Stolen
):
    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=5, seconds=11)):
        await refused(platform, nobody, stolen.token, "token_expired")
        await refused(platform, nobody, stolen.forged())  # that is not told of what was never ours


async def test_a_token_of_another_platform_is_refused(platform: Platform, nobody: httpx.AsyncClient, stolen: Stolen):
    """Theirs is right in everything but the key, and they publish that as we do ours."""
    await refused(platform, nobody, stolen.forged(kid="0123456789abcdef"))


async def test_an_identifier_in_other_letters_is_no_way_round_a_revocation(
    platform: Platform, nobody: httpx.AsyncClient, stolen: Stolen
):
    other = stolen.ours({**stolen.claims, "jti": stolen.claims["jti"].upper()})
    await nobody.post("/auth/revoke", json={"token": stolen.token})

    await refused(platform, nobody, other, "session_over")


class TestWycheproof:
    """401 signed texts by the Wycheproof project, none of which is a token of ours, and most of which are broken."""

    async def test_none_of_them_opens_the_door(self, platform: Platform, nobody: httpx.AsyncClient):
        vectors = [jws for group in VECTORS for *_, jws in group["tests"]]
        answers = [
            await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {jws}".encode()}) for jws in vectors
        ]

        assert len(vectors) == 401
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "token_invalid")}

    async def test_no_signature_of_them_fits_a_token_of_ours(
        self, platform: Platform, nobody: httpx.AsyncClient, stolen: Stolen
    ):
        signatures = {jws.rpartition(".")[2] for group in VECTORS for *_, jws in group["tests"]}
        start = stolen.token.rpartition(".")[0]
        answers = [
            await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {start}.{signature}".encode()})
            for signature in signatures
        ]

        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(401, "token_invalid")}

    @pytest.mark.parametrize("group", [group for group in VECTORS if group["key"].get("crv") == "P-256"])
    def test_the_library_that_verifies_tells_the_right_ones_from_the_broken(self, group: dict[str, Any]):
        """With the algorithm fixed by the key, as the platform has it; a key's `use` is not its business."""
        key = jwt.PyJWK({**group["key"], "alg": "ES256"}).key
        for identifier, comment, result, jws in group["tests"]:
            if comment.startswith("rejectWrong"):
                continue
            try:
                jwt.api_jws.decode(jws, key, algorithms=["ES256"])
                found = "valid"
            except jwt.InvalidTokenError:
                found = "invalid"
            assert found == result, f"{identifier} {comment}"
