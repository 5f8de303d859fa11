"""The first organisation and its administrator."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from promptcraft.app import admin
from promptcraft.app.up.servers import Urls
from promptcraft.audit import OrganisationSealer
from promptcraft.identity import Identity, LoginRefused, bootstrap, open_identity, sign_in
from promptcraft.kernel.audit import install_sealer
from promptcraft.kernel.db import Database, system_unit_of_work
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.kernel.wakeups import redis_client
from promptcraft.settings import IdentitySettings

MASTER_KEY = b"m" * 32


@pytest.fixture
async def identity(db: Database, urls: Urls) -> Any:
    install_sealer(OrganisationSealer(MASTER_KEY))
    await keep_partitions(db)
    redis = redis_client(urls.redis)
    yield open_identity(db, redis, IdentitySettings(), issuer="http://here", master_key=MASTER_KEY)
    await redis.aclose()


async def test_the_password_is_told_until_somebody_has_signed_in_with_it(db: Database, identity: Identity):
    first = await bootstrap(db)
    again = await bootstrap(db)
    assert first.password
    assert again.password
    assert first.password != again.password

    with pytest.raises(LoginRefused):
        await sign_in(identity, first.username, first.password)
    await sign_in(identity, again.username, again.password)
    after = await bootstrap(db)

    assert (after.username, after.password, after.organization) == ("admin", None, first.organization)


async def test_the_first_administrator_holds_both_roles_in_one_organisation(db: Database, identity: Identity):
    await bootstrap(db)

    async with system_unit_of_work(db) as session:
        organisations = await session.scalar(text("select count(*) from identity.organisation"))
        events = list(await session.scalars(text("select catalogue_id from audit.event order by xid, event_id")))

    assert organisations == 1
    assert [2010, 2011] == [event for event in events if event in (2010, 2011)]
    assert events.count(2012) == 2


async def test_the_passwords_are_nowhere_in_the_database(db: Database, identity: Identity):
    administrator = await bootstrap(db)

    async with system_unit_of_work(db) as session:
        log = list(await session.scalars(text("select canonical from audit.event")))

    assert administrator.password is None or administrator.password not in str(log)


def test_the_command_prints_one_line_of_json(
    urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name, value in {
        "PROMPTCRAFT_DB_APP_URL": urls.app,
        "PROMPTCRAFT_DB_SYSTEM_URL": urls.system,
        "REDIS_URL": urls.redis,
        "PROMPTCRAFT_MASTER_KEY": MASTER_KEY.hex(),
    }.items():
        monkeypatch.setenv(name, value)

    code = admin.main(None)

    assert code == 0
    assert set(json.loads(capsys.readouterr().out)) == {"username", "password", "organization"}
