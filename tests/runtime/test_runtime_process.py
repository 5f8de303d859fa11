"""The role `runtime` as `up` starts it, on the embedded servers, with a data directory too deep for sockets."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from promptcraft.app.engines import places_of
from promptcraft.app.up.servers import EmbeddedServers
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.runtime import isolation_report
from promptcraft.runtime.tables import InstanceRow
from promptcraft.settings import load_settings
from tests.runtime.driver_contract import eventually
from tests.runtime.instances import alive, answer, desired, started
from tests.runtime.programs import SERVER

PRYING = SERVER.replace(
    '"uid": os.getuid()', '"reached": [path for path in json.loads(os.environ["TARGETS"]) if reaches(path)]'
)
PRYING = (
    """
import socket

def reaches(path):
    try:
        with socket.socket(socket.AF_UNIX) as attempt:
            attempt.connect(path)
    except OSError:  # one that is too long for a socket, too
        return os.path.exists(path)
    return True
"""
    + PRYING
)


@pytest.fixture
def environment(urls, tmp_path: Path, short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(tempfile, "tempdir", str(short_directory))
    return {
        "TMPDIR": str(short_directory),
        "PROMPTCRAFT_DATA_DIR": str(tmp_path / ("deep" * 20) / ("down" * 20)),
        "PROMPTCRAFT_DB_APP_URL": urls.app,
        "PROMPTCRAFT_DB_SYSTEM_URL": urls.system,
        "REDIS_URL": urls.redis,
        "PROMPTCRAFT_MASTER_KEY": "k" * 43,
    }


@pytest.fixture
async def somebody(db: Database) -> AsyncIterator[Actor]:
    actor = platform_actor("a-request", org_id=new_id())
    yield actor
    async with unit_of_work(db, actor) as session:
        await session.execute(delete(InstanceRow).where(InstanceRow.org_id == actor.org_id))


@pytest.fixture
async def role(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    argv = [sys.executable, "-m", "promptcraft.app", "runtime"]
    role = await asyncio.create_subprocess_exec(*argv, env={"PATH": os.environ["PATH"], **environment})
    yield role
    if role.returncode is None:
        role.kill()
        await role.wait()


async def test_agent_reaches_nothing_of_the_platform_and_ends_with_its_runtime(
    db: Database, somebody: Actor, role, environment, servers: EmbeddedServers, tmp_path: Path
):
    places = places_of(load_settings(environment), commands_only=False)
    targets = [str(path) for path in (*places.guarded_sockets, *places.hidden, servers.postgres.place.root)]
    wanted = desired(tmp_path / "v1", PRYING, variables={"TARGETS": json.dumps(targets)})

    found = await started(db, somebody, wanted)
    report = (await isolation_report(db))[0]
    seen = await answer(found)
    role.send_signal(signal.SIGTERM)

    assert len(places.guarded_sockets) == 2
    assert all(path.is_socket() for path in places.guarded_sockets)
    assert not any(found.socket.is_relative_to(path.parent) for path in places.guarded_sockets)
    assert len(str(found.socket)) <= 107
    if report.isolated:
        assert seen["reached"] == []
        assert set(report.checks.values()) == {"held"}
    assert await role.wait() == 0
    assert not alive(found.pid)

    async def nobody_left() -> bool:
        return await isolation_report(db) == []

    await eventually(nobody_left)
