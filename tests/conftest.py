"""Real parts for every test: one PostgreSQL and one Valkey a session, a database of its own for each module."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

from promptcraft.app.up.servers import EmbeddedServers, Urls, embedded_servers
from promptcraft.kernel.db import Database
from promptcraft.migrations import upgrade

_numbers = count()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    """PostgreSQL and Valkey as `up` runs them, but without waiting for the disk; the schema is in place."""
    with embedded_servers(tmp_path_factory.mktemp("servers") / "data", fsync=False) as running:
        upgrade(running.urls.owner)
        yield running


@pytest.fixture(scope="module")
def urls(servers: EmbeddedServers) -> Iterator[Urls]:
    """The addresses of a migrated database of this module's own."""
    name = f"t{next(_numbers)}"
    yield servers.new_database(name, template="promptcraft")
    servers.drop_database(name)


@pytest.fixture
async def db(urls: Urls) -> AsyncIterator[Database]:
    """The database as the application has it: the roles `app` and `system`."""
    database = Database.connect(urls.app, urls.system)
    yield database
    await database.dispose()
