"""Real parts for every test: one PostgreSQL and one Valkey a session, a database of its own for each module."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import hypothesis
import pytest
from blockbuster import blockbuster_ctx
from fastapi import FastAPI
from starlette.types import ASGIApp

from promptcraft.app.api import make_app
from promptcraft.app.edge import at_the_edge
from promptcraft.app.parts import Parts
from promptcraft.app.process import Process, open_process
from promptcraft.app.up.servers import EmbeddedServers, Urls, embedded_servers
from promptcraft.identity import found_organisation
from promptcraft.kernel.db import Database
from promptcraft.migrations import upgrade
from promptcraft.settings import load_settings
from tests.people import Person, arrive

# A machine that stalls for a moment is no defect of what is tested.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
_numbers = count()
_WORKS_IN_PROCESS = {"agents", "compliance", "runtime"}
_ANSWERS_REQUESTS = ("kernel", "identity", "audit", "registry", "orchestrator", "agents", "analytics")
# A look at a file's entry takes microseconds, less than a thread to do it in; a lock is taken once, at the start;
# redis-py reads its own version, a few lines, for every connection.
_TOO_SHORT_TO_MATTER = ("os.stat", "threading.Lock.acquire", "io.TextIOWrapper.read", "io.BufferedReader.read")
Arrives = Callable[..., Awaitable[Person]]


@pytest.fixture(autouse=True)
def nothing_of_ours_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """A call in the platform's own async code that would hold up every other request fails the test.

    Not where jobs and programs run in this process: a worker and a runtime, where they belong, answer no requests.
    """
    if _WORKS_IN_PROCESS.intersection(request.path.parts):
        yield
        return
    with blockbuster_ctx(scanned_modules=[f"promptcraft.{name}" for name in _ANSWERS_REQUESTS]) as watched:
        for name in _TOO_SHORT_TO_MATTER:
            watched.functions[name].deactivate()
        yield


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


@dataclass
class Platform:
    """The application in this process, on this module's database; background work is done when a test says so."""

    process: Process
    app: FastAPI
    asgi: ASGIApp
    parts: Parts
    acme: UUID
    rival: UUID

    @property
    def db(self) -> Database:
        return self.process.db


@pytest.fixture(scope="module")
def settings_given() -> dict[str, str]:
    """Settings that a module's platform is started with beside its addresses; override it in a module."""
    return {}


@pytest.fixture(scope="module")
async def platform(
    urls: Urls, settings_given: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Platform]:
    data: Path = tmp_path_factory.mktemp("data")
    environment = {
        "PROMPTCRAFT_DATA_DIR": str(data),
        "ANALYTICS_DB_URL": urls.owner,
        "PROMPTCRAFT_DB_APP_URL": urls.app,
        "PROMPTCRAFT_DB_SYSTEM_URL": urls.system,
        "REDIS_URL": urls.redis,
        "PROMPTCRAFT_MASTER_KEY": "k" * 43,
        **settings_given,
    }
    process = open_process("api", load_settings(environment))
    await process.redis.flushdb()
    app = make_app(process)
    parts: Parts = app.state.parts
    async with app.router.lifespan_context(app):
        acme = await found_organisation(process.db, "acme", "Acme")
        rival = await found_organisation(process.db, "rival", "Rival")
        yield Platform(process, app, at_the_edge(app, process.settings.app.trusted_proxies), parts, acme.id, rival.id)
    await process.close()


@pytest.fixture
async def person(platform: Platform) -> AsyncIterator[Arrives]:
    """Makes somebody: `await person("viewer")`, `await person("analyst", groups=("data-team",), org="rival")`."""
    arrived: list[Person] = []

    async def arrives(*roles: str, groups: tuple[str, ...] = (), org: str = "acme") -> Person:
        org_id = platform.acme if org == "acme" else platform.rival
        name = f"person-{next(_numbers)}"
        somebody = await arrive(platform.parts.identity, platform.asgi, org_id, name, roles, groups)
        arrived.append(somebody)
        return somebody

    yield arrives
    for somebody in arrived:
        await somebody.client.aclose()


@pytest.fixture
async def alice(person: Arrives) -> Person:
    """An administrator of the organisation Acme."""
    return await person("admin")


@pytest.fixture
async def stranger(person: Arrives) -> Person:
    """An administrator of another organisation, who has every right there and none in Acme."""
    return await person("admin", org="rival")


@pytest.fixture
async def nobody(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A caller who is not signed in."""
    transport: Any = httpx.ASGITransport(app=platform.asgi, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://promptcraft.test") as client:
        yield client
