"""Signing keys: made by the platform, kept sealed by the master key, two of them published at any time."""

import asyncio
import base64
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.identity.schemas import KeySet
from promptcraft.identity.tables import SigningKeyRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import PLATFORM_ORG, platform_actor
from promptcraft.kernel.audit.catalogue.identity import SIGNING_KEY_MADE, SIGNING_KEYS_ROTATED
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.sealing import Seal

_STATES = ("current", "next")
_LOCK = text("select pg_advisory_xact_lock(hashtext('identity.signing_key'))")
# Processes sign with the key they know for a while; then it has to outlive the tokens that it signed (tokens.py).
_SIGN_AGAIN = timedelta(minutes=1)
_ACCEPTED_AFTER = timedelta(minutes=10)
# A token with an unknown key id must not let anybody make the platform read its keys on every request.
_LOOK_AGAIN = timedelta(seconds=30)
_MOST_HEADERS = 100


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair, for one algorithm alone."""

    kid: str
    algorithm: str
    state: str
    private: Any
    public: Any
    public_jwk: dict[str, str]


class SigningKeys:
    """The keys of one process: read once, and again when a token names one that is not known."""

    def __init__(self, db: Database, algorithm: str, master_key: bytes) -> None:
        self._db = db
        self._algorithm = algorithm
        self._seal = Seal(master_key, b"promptcraft identity signing keys 1")
        self._keys: dict[str, SigningKey] = {}
        self._headers: dict[str, str] = {}
        self._read_at = clock.now() - _LOOK_AGAIN
        self._lock = asyncio.Lock()

    async def current(self) -> SigningKey:
        """The key to sign with; it is made when there is none."""
        if self._may_be_old():
            async with self._lock:
                if self._may_be_old():
                    await self._read()
        key = self._current()
        if key is None:
            raise RuntimeError("the signing keys were made and are not there")
        return key

    async def named(self, kid: str) -> SigningKey | None:
        """The key of this id, if it is one of ours."""
        if self._may_find(kid):
            async with self._lock:
                if self._may_find(kid):
                    await self._read()
        return self._keys.get(kid)

    def of_header(self, header: str) -> SigningKey | None:
        """The key of a token's encoded header that was read before."""
        kid = self._headers.get(header)
        return None if kid is None else self._keys.get(kid)

    def remember_header(self, header: str, kid: str) -> None:
        if len(self._headers) >= _MOST_HEADERS:
            # JSON can say one thing in many ways: whoever sends them all costs time, and no memory.
            self._headers.clear()
        self._headers[header] = kid

    async def published(self) -> KeySet:
        """The public parts, the present key first."""
        await self.current()
        return KeySet(keys=tuple(key.public_jwk for key in self._keys.values()))

    def _current(self) -> SigningKey | None:
        mine = (key for key in self._keys.values() if key.algorithm == self._algorithm and key.state == "current")
        return next(mine, None)

    async def rotate(self) -> str:
        """Sign with the next key from now on, and publish one to follow it; gives the new one's id.

        Tokens signed with the key before stay valid until they end.
        """
        await self.current()
        actor = platform_actor(current().request_id)
        async with unit_of_work(self._db, actor) as session:
            await session.execute(_LOCK)
            rows = {row.state: row for row in await _rows(session) if row.algorithm == self._algorithm}
            rows["current"].state, rows["current"].retired_at = "retired", clock.now()
            await session.flush()
            rows["next"].state = "current"
            await session.flush()
            await self._make(session, "next")
            await audit.record(session, actor, SIGNING_KEYS_ROTATED, resource=rows["next"].kid)
        await self._read()
        return rows["next"].kid

    def _may_be_old(self) -> bool:
        return self._current() is None or clock.now() - self._read_at >= _SIGN_AGAIN

    def _may_find(self, kid: str) -> bool:
        return kid not in self._keys and clock.now() - self._read_at >= _LOOK_AGAIN

    async def _read(self) -> None:
        async with unit_of_work(self._db, platform_actor(current().request_id)) as session:
            rows = await _rows(session)
            if not self._usable(rows):
                # Two processes that start together make one pair between them.
                await session.execute(_LOCK)
                rows = await _rows(session)
            if not self._usable(rows):
                rows = [*rows, *[await self._make(session, state) for state in _STATES]]
            self._keys = {row.kid: self._opened(row) for row in rows}
        self._read_at = clock.now()

    def _usable(self, rows: list[SigningKeyRow]) -> bool:
        return any(row.algorithm == self._algorithm and row.state == "current" for row in rows)

    async def _make(self, session: AsyncSession, state: str) -> SigningKeyRow:
        kid = secrets.token_hex(8)
        private = (
            ec.generate_private_key(ec.SECP256R1())
            if self._algorithm == "ES256"
            else ed25519.Ed25519PrivateKey.generate()
        )
        encoded = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        sealed = self._seal.close(encoded, kid.encode())
        row = SigningKeyRow(
            org_id=PLATFORM_ORG,
            kid=kid,
            algorithm=self._algorithm,
            state=state,
            public_jwk=json.dumps(_jwk(private.public_key(), kid, self._algorithm)),
            sealed_private_key=base64.b64encode(sealed).decode(),
            created_at=clock.now(),
        )
        session.add(row)
        await audit.record(session, platform_actor(current().request_id), SIGNING_KEY_MADE, resource=kid, state=state)
        return row

    def _opened(self, row: SigningKeyRow) -> SigningKey:
        sealed = base64.b64decode(row.sealed_private_key)
        encoded = self._seal.open(sealed, row.kid.encode())
        private: Any = load_der_private_key(encoded, password=None)
        # The public half comes from the sealed one: whoever can write the table cannot slip in a key of their own.
        public = private.public_key()
        return SigningKey(row.kid, row.algorithm, row.state, private, public, _jwk(public, row.kid, row.algorithm))


async def _rows(session: AsyncSession) -> list[SigningKeyRow]:
    mine = SigningKeyRow.org_id == PLATFORM_ORG
    accepted = (SigningKeyRow.state != "retired") | (SigningKeyRow.retired_at > clock.now() - _ACCEPTED_AFTER)
    return list(await session.scalars(select(SigningKeyRow).where(mine, accepted).order_by(SigningKeyRow.state)))


def _jwk(public: Any, kid: str, algorithm: str) -> dict[str, str]:
    kind: Any = ECAlgorithm if algorithm == "ES256" else OKPAlgorithm
    return {**kind.to_jwk(public, as_dict=True), "kid": kid, "alg": algorithm, "use": "sig"}


def sign(key: SigningKey, claims: dict[str, Any]) -> str:
    """Sign claims as an access token (RFC 9068)."""
    return jwt.encode(claims, key.private, key.algorithm, headers={"typ": "at+jwt", "kid": key.kid})
