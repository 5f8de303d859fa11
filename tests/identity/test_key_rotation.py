"""Rotating the signing keys: new tokens name the next key, old ones stay valid, whichever process looks."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import jwt

from promptcraft.identity import authenticate
from promptcraft.kernel import clock
from tests.conftest import Platform
from tests.identity.test_keys import another
from tests.people import PASSWORD, Person


async def test_after_a_rotation_old_tokens_stay_valid_and_new_ones_name_the_next_key(
    platform: Platform, alice: Person, nobody: httpx.AsyncClient
):
    elsewhere = another(platform)
    before = [key["kid"] for key in (await nobody.get("/.well-known/jwks.json")).json()["keys"]]
    known_elsewhere = (await elsewhere.keys.current()).kid

    kid = await platform.parts.identity.keys.rotate()

    assert (kid in before, kid != known_elsewhere) == (True, True)
    assert (await alice.get("/api/v4/me")).status_code == 200
    tokens = (await nobody.post("/auth/token", json={"username": alice.name, "password": PASSWORD})).json()
    assert jwt.get_unverified_header(tokens["access_token"])["kid"] == kid
    assert (await authenticate(elsewhere, f"Bearer {tokens['access_token']}")).name == alice.name
    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=2)):
        assert (await elsewhere.keys.current()).kid == kid, "others sign with it, too, after a minute"
    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=11)):
        published = [key.kid for key in [await another(platform).keys.current()]]
        kids = [key["kid"] for key in (await another(platform).keys.published()).keys]
    assert published == [kid]
    assert (len(kids), known_elsewhere in kids) == (2, False)


async def test_two_rotations_at_once_are_two_rotations(platform: Platform):
    present = (await another(platform).keys.current()).kid

    first, second = await asyncio.gather(*(another(platform).keys.rotate() for _ in range(2)))

    kids = [key["kid"] for key in (await another(platform).keys.published()).keys]
    assert len({present, first, second}) == 3
    assert {present, first, second} < set(kids)
