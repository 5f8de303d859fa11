"""Signing keys: sealed, made once, of the algorithm that the settings name."""

import asyncio
import json

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text

from promptcraft.identity import open_identity
from promptcraft.kernel.actor import PLATFORM_ORG, platform_actor
from promptcraft.kernel.db import unit_of_work
from promptcraft.settings import IdentitySettings
from tests.conftest import Platform
from tests.people import PASSWORD, Person


def another(platform: Platform, master_key: bytes | None = None, algorithm: str = "ES256"):
    process = platform.process
    return open_identity(
        process.db,
        process.redis,
        IdentitySettings(jwt_algorithm=algorithm),
        issuer=process.settings.app.address,
        master_key=master_key or process.master_key,
    )


async def test_processes_that_start_together_make_one_pair_of_keys_between_them(platform: Platform):
    several = [another(platform) for _ in range(4)]

    sets = await asyncio.gather(*(each.keys.published() for each in several))

    assert len({json.dumps(keys.model_dump(), sort_keys=True) for keys in sets}) == 1
    assert [key["alg"] for key in sets[0].keys].count("ES256") == 2


async def test_a_key_that_was_looked_for_in_vain_is_looked_for_again_at_once(platform: Platform):
    kid = (await platform.parts.identity.keys.current()).kid
    keys = another(platform).keys
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await keys.named(kid)

    found = await asyncio.gather(*(keys.named(kid) for _ in range(4)))

    assert [key.kid for key in found if key] == [kid] * 4


async def test_a_token_of_one_process_opens_the_door_of_another(alice: Person, platform: Platform):
    assert (await alice.get("/api/v4/me")).status_code == 200

    assert await another(platform).keys.current() is not None
    assert (await another(platform).keys.current()).kid == (await platform.parts.identity.keys.current()).kid


async def test_a_private_key_is_sealed_by_the_master_key(platform: Platform):
    await platform.parts.identity.keys.current()

    async with unit_of_work(platform.db, platform_actor()) as session:
        rows = (await session.execute(text("select public_jwk, sealed_private_key from identity.signing_key"))).all()

    assert len(rows) >= 2
    assert all("PRIVATE" not in str(row) and '"d"' not in row.public_jwk for row in rows)
    with pytest.raises(InvalidTag):
        await another(platform, master_key=b"x" * 32).keys.current()


async def test_no_organisation_sees_the_keys(platform: Platform):
    await platform.parts.identity.keys.current()

    for org_id, seen in ((platform.acme, 0), (PLATFORM_ORG, 2)):
        async with unit_of_work(platform.db, platform_actor(org_id=org_id)) as session:
            count = await session.scalar(text("select count(*) from identity.signing_key where algorithm = 'ES256'"))
            assert count == seen


async def test_eddsa_is_signed_and_accepted_where_the_settings_say_so(
    alice: Person, platform: Platform, nobody: httpx.AsyncClient
):
    before = platform.app.state.identity
    platform.app.state.identity = another(platform, algorithm="EdDSA")

    try:
        body = {"username": alice.name, "password": PASSWORD}
        token = (await nobody.post("/auth/token", json=body)).json()["access_token"]
        answers = [
            await nobody.get("/api/v4/me", headers={"Authorization": f"Bearer {token}"}),
            await alice.get("/api/v4/me"),
        ]
    finally:
        platform.app.state.identity = before

    assert [answer.status_code for answer in answers] == [200, 200]
