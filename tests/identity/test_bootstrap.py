"""The first organisation and its administrator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from promptcraft.app import admin
from promptcraft.app.up.servers import EmbeddedServers, Urls
from promptcraft.audit import OrganisationSealer
from promptcraft.identity import Identity, LoginRefused, bootstrap, open_identity, sign_in
from promptcraft.kernel.audit import install_sealer
from promptcraft.kernel.db import Database, system_unit_of_work
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.kernel.wakeups import redis_client
from promptcraft.settings import IdentitySettings

MASTER_KEY = b"m" * 32


@pytest.fixture
def urls(servers: EmbeddedServers) -> Iterator[Urls]:
    """A database of each test's own, as there is a first administrator once."""
    yield servers.new_database("bootstrap", template="promptcraft")
    servers.drop_database("bootstrap")


@pytest.fixture
async def identity(db: Database, urls: Urls) -> Any:
    install_sealer(OrganisationSealer(MASTER_KEY))
    await keep_partitions(db)
    redis = redis_client(urls.redis)
    yield open_identity(db, redis, IdentitySettings(), issuer="http://here", master_key=MASTER_KEY)
    await redis.aclose()


def everything(urls: Urls) -> list[str]:
    """Every row of every table."""
    ours = "select oid::regclass::text from pg_class where relkind = 'r' and oid > 16383"
    engine = create_engine(urls.superuser)
    with engine.connect() as connection:
        tables = list(connection.scalars(text(ours)))
        rows = [row for name in tables for row in connection.scalars(text(f"select t::text from {name} t"))]  # noqa: S608 - the catalogue names them
    engine.dispose()
    return rows


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


async def test_the_passwords_are_nowhere_in_the_database(db: Database, identity: Identity, urls: Urls):
    administrator = await bootstrap(db)

    kept = str(everything(urls))

    assert administrator.username in kept
    assert administrator.password
    assert administrator.password not in kept


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
