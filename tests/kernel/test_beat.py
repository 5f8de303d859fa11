"""The beat: one of several leads, another takes over, and work whose wake-up was lost is done all the same."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from redis import Redis

from promptcraft.agents.schemas import Removal
from promptcraft.agents.service.pipeline import REMOVE_STEPS
from promptcraft.app.up.servers import EmbeddedServers, Urls
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import enqueue
from tests.app.processes import eventually

Starts = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def begin(urls: Urls, tmp_path: Path) -> Iterator[Starts]:
    """Starts a role of the platform in a process of its own, which logs to `<role>.log`; it is killed at the end."""
    environment = {
        "PATH": os.environ["PATH"],
        "PROMPTCRAFT_DATA_DIR": str(tmp_path),
        "PROMPTCRAFT_DB_APP_URL": urls.app,
        "PROMPTCRAFT_DB_SYSTEM_URL": urls.system,
        "PROMPTCRAFT_MASTER_KEY": "k" * 43,
        "REDIS_URL": urls.redis,
    }
    with ExitStack() as started:

        def start(role: str, **settings: str) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-P", "-m", "promptcraft.app", role]
            log = started.enter_context((tmp_path / f"{role}.log").open("ab"))
            process = subprocess.Popen(command, env=environment | settings, stderr=log)
            started.callback(process.wait)
            started.callback(process.kill)
            return process

        yield start


class Watch:
    """What the database knows of the beats that are connected to it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def leaders(self) -> list[int]:
        """Connections that hold an advisory lock of this database: nobody but a leader does."""
        return self._pids(
            "select l.pid from pg_locks l join pg_database d on d.oid = l.database"
            " where d.datname = current_database() and l.locktype = 'advisory' and l.granted"
        )

    def standing_by(self) -> list[int]:
        """Connections that asked for the lock and did not get it: that is the last they asked."""
        return self._pids(
            "select pid from pg_stat_activity where datname = current_database()"
            " and query ~ '^select pg_try_advisory_lock' and pid <> all (%s::integer[])",
            self.leaders(),
        )

    def completed(self, job: UUID) -> bool:
        return bool(self._pids("select 1 from kernel.job where id = %s and state = 'completed'", job))

    def _pids(self, query: str, *values: object) -> list[int]:
        return [row[0] for row in self._connection.execute(query, values).fetchall()]


@pytest.fixture
def watch(urls: Urls) -> Iterator[Watch]:
    with psycopg.connect(urls.superuser.replace("+psycopg", ""), autocommit=True) as connection:
        yield Watch(connection)


async def unheard(db: Database) -> UUID:
    """A job that is committed while its wake-up is lost: `db` tells nobody."""
    actor: Actor = platform_actor("a-request", org_id=new_id())
    async with unit_of_work(db, actor) as session:
        nothing = Removal(agent_id=new_id(), name="nothing", instance_ids=())
        return await enqueue(session, actor, Removal.KIND, nothing, REMOVE_STEPS)


async def test_a_second_beat_takes_over_from_a_killed_one_and_work_nobody_was_told_of_is_done(
    db: Database, urls: Urls, begin: Starts, watch: Watch
) -> None:
    Redis.from_url(urls.redis).flushdb()
    begin("worker")
    first = begin("beat")
    assert eventually(lambda: len(watch.leaders()) == 1)
    leader = watch.leaders()
    begin("beat")
    assert eventually(lambda: len(watch.standing_by()) == 1)

    job = await unheard(db)
    assert eventually(lambda: watch.completed(job))
    assert watch.leaders() == leader

    first.send_signal(signal.SIGKILL)
    assert eventually(lambda: watch.leaders() not in ([], leader))
    assert len(watch.leaders()) == 1
    job = await unheard(db)
    assert eventually(lambda: watch.completed(job))


async def test_a_worker_that_starts_before_its_database_is_there_works_once_it_is(
    servers: EmbeddedServers, begin: Starts, tmp_path: Path
) -> None:
    early = servers.new_database("late", template="promptcraft")
    servers.drop_database("late")
    Redis.from_url(early.redis).flushdb()
    addresses = {"PROMPTCRAFT_DB_APP_URL": early.app, "PROMPTCRAFT_DB_SYSTEM_URL": early.system}
    begin("worker", **addresses)
    assert eventually(lambda: (tmp_path / "worker.log").read_text().count("Signal handler") == 2)

    late = servers.new_database("late", template="promptcraft")
    db = Database.connect(late.app, late.system)
    begin("beat", **addresses)
    job = await unheard(db)
    with psycopg.connect(late.superuser.replace("+psycopg", ""), autocommit=True) as connection:
        assert eventually(lambda: Watch(connection).completed(job))

    await db.dispose()
    servers.drop_database("late")
