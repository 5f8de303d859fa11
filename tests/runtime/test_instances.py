"""What was asked to run, runs; on a real PostgreSQL and under the real driver."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import delete, text, update

from promptcraft.kernel import outbox
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.runtime import (
    Instance,
    InstanceFailed,
    InstanceNotFound,
    InstanceNotHealthy,
    LeaseLost,
    Limits,
    Pace,
    ProcessDriver,
    RuntimeUsage,
    host_place,
    host_places,
    instance,
    instances,
    isolation_report,
    logs,
    run_host,
    wait_until_gone,
    wait_until_healthy,
)
from promptcraft.runtime.clients import HostPlaces
from promptcraft.runtime.clients.launch import program_behind
from promptcraft.runtime.tables import InstanceRow
from tests.runtime.driver_contract import eventually
from tests.runtime.instances import alive, answer, ask_away, ask_for, desired, events_of, look_at, none_alive, started
from tests.runtime.programs import SERVER, without_bubblewrap

QUICK = Pace(
    healthy_within=20,
    health_every=0.1,
    unhealthy_after=2,
    sample_every=0.1,
    usage_every=0.3,
    stop_grace=5,
    restart_first=0.05,
)
TIRED = SERVER.replace("self.send_response(200)", "self.send_response(200 if self.server.answered() else 503)")

_BREAK_THE_OTHERS = text(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()"
)


@pytest.fixture
def places(tmp_path: Path, short_directory: Path) -> HostPlaces:
    return host_places(tmp_path / "data", short_directory)


@pytest.fixture
async def alice(db: Database) -> AsyncIterator[Actor]:
    """Somebody of an organisation of her own; what she wants ends with the test."""
    actor = platform_actor("a-request", org_id=new_id())
    yield actor
    async with unit_of_work(db, actor) as session:
        await session.execute(delete(InstanceRow).where(InstanceRow.org_id == actor.org_id))


@dataclass
class Host:
    """A runtime that runs in this process."""

    db: Database
    driver: ProcessDriver
    task: asyncio.Task[None]
    stopping: asyncio.Event


@asynccontextmanager
async def running(db: Database, places: HostPlaces, host: str, **driver: bool) -> AsyncIterator[Host]:
    stopping, process = asyncio.Event(), ProcessDriver(places, **driver)
    loop = run_host(db, process, host, host_place(places), woken=asyncio.Event(), stopping=stopping, pace=QUICK)
    task = asyncio.create_task(loop)
    yield Host(db, process, task, stopping)
    stopping.set()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def runtime(db: Database, places: HostPlaces, alice: Actor) -> AsyncIterator[Host]:
    del alice  # her instances are to be gone before the next test's runtime could take them on
    async with running(db, places, str(new_id())) as host:
        yield host


async def test_desired_instance_runs_answers_and_is_recorded(db, runtime, alice, tmp_path):
    found = await started(db, alice, desired(tmp_path / "v1"))

    assert (await answer(found))["status"] == "ok"
    assert (found.observed, found.restarts, found.last_error) == ("healthy", 0, None)

    async def printed() -> bool:
        return "listening" in await logs(db, alice, runtime.driver, found.id, 100)

    assert await eventually(printed)
    assert await events_of(db, alice) == [7001, 7003]


async def test_instance_that_is_not_wanted_any_more_leaves_nothing(db, runtime, alice, tmp_path, places):
    found = await started(db, alice, desired(tmp_path / "v1"))

    await ask_away(db, alice, found)
    await wait_until_gone(db, alice, found.id, 30)

    assert not alive(found.pid)
    assert not list(places.log_directory.iterdir())
    assert not list(places.socket_directory.iterdir())
    with pytest.raises(InstanceNotFound):
        await look_at(db, alice, found)
    assert await events_of(db, alice) == [7001, 7003, 7002, 7005]
    await ask_away(db, alice, found)  # twice is no error


async def test_program_that_ends_at_once_is_told_with_its_reason_and_tried_again(db, runtime, alice, tmp_path):
    found = await ask_for(db, alice, desired(tmp_path / "v1", "import sys; print('no knowledge'); sys.exit(7)"))

    with pytest.raises(InstanceFailed, match="ended with exit code 7"):
        await wait_until_healthy(db, alice, found.id, 30)

    async def tried_twice() -> bool:
        return (await look_at(db, alice, found)).restarts >= 2

    await eventually(tried_twice)
    assert set(await logs(db, alice, runtime.driver, found.id, 10)) == {"no knowledge"}


async def test_instance_that_dies_is_started_again(db, runtime, alice, tmp_path):
    found = await started(db, alice, desired(tmp_path / "v1"))
    os.kill(program_behind(found.pid), signal.SIGKILL)

    async def back() -> Instance | None:
        now = await look_at(db, alice, found)
        return now if now.observed == "healthy" and now.pid != found.pid else None

    again = await eventually(back)
    assert again.restarts == 1
    assert (await answer(again))["status"] == "ok"
    assert await events_of(db, alice) == [7001, 7003, 7004, 7003]


async def test_instance_that_shall_not_restart_stays_down_until_it_is_asked_for_again(db, runtime, alice, tmp_path):
    wanted = desired(tmp_path / "v1", restart_policy="no")
    found = await started(db, alice, wanted)
    os.kill(program_behind(found.pid), signal.SIGTERM)

    async def down() -> bool:
        return (await look_at(db, alice, found)).observed == "stopped"

    await eventually(down)
    again = await started(db, alice, wanted)
    assert (again.id, again.restarts) == (found.id, 0)
    assert again.pid != found.pid


async def test_instance_that_stops_answering_is_unhealthy_until_it_answers_again(db, runtime, alice, tmp_path):
    moody = TIRED.replace(
        "with socketserver.ThreadingUnixStreamServer(os.environ",
        "class Moody(socketserver.ThreadingUnixStreamServer):\n"
        "    count = 0\n"
        "    def answered(self):\n"
        "        self.count += 1\n"
        "        return not 3 < self.count < 9\n\n"
        "with Moody(os.environ",
    )
    found = await ask_for(db, alice, desired(tmp_path / "v1", moody))
    seen: list[str] = []

    async def recovered() -> bool:
        now = (await look_at(db, alice, found)).observed
        seen.extend([now] if now not in seen[-1:] else [])
        return seen[-2:] == ["unhealthy", "healthy"]

    await eventually(recovered)
    assert (await look_at(db, alice, found)).restarts == 0


async def test_health_without_end_is_health_and_fills_no_memory(db, runtime, alice, tmp_path):
    endless = SERVER.replace('self.send_header("Content-Length", str(len(body)))', "pass").replace(
        "self.wfile.write(body)", "[self.wfile.write(bytes(1 << 20)) for _ in iter(int, 1)]"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    found = await started(db, alice, desired(tmp_path / "v1", endless))
    await asyncio.sleep(1)  # some more looks at its health

    assert (await look_at(db, alice, found)).observed == "healthy"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


async def test_health_that_never_comes_is_no_health(db, runtime, alice, tmp_path):
    silent = SERVER.replace("self.send_response(200)", "__import__('time').sleep(60)")
    found = await ask_for(db, alice, desired(tmp_path / "v1", silent))

    with pytest.raises(InstanceNotHealthy):
        await wait_until_healthy(db, alice, found.id, 2)


async def test_asking_again_for_the_same_changes_nothing_and_for_other_limits_restarts(db, runtime, alice, tmp_path):
    wanted = desired(tmp_path / "v1")
    found = await started(db, alice, wanted)

    same = await started(db, alice, wanted)
    other = await ask_for(db, alice, wanted.model_copy(update={"limits": Limits(cpus=1)}))
    restarted = await wait_until_healthy(db, alice, other.id, 30)

    assert (same.id, same.pid) == (found.id, found.pid)
    assert restarted.id == found.id
    assert restarted.pid != found.pid
    assert not alive(found.pid)


async def test_environments_and_versions_run_beside_each_other(db, runtime, alice, tmp_path):
    keys = [("1", "development"), ("1", "production"), ("2", "production")]

    found = [
        await started(db, alice, desired(tmp_path / version, version=version, environment=environment))
        for version, environment in keys
    ]

    assert len({each.socket for each in found}) == 3
    async with unit_of_work(db, alice) as session:
        in_production = await instances(session, alice, name="tax_advisor", environment="production")
    assert [each.version for each in in_production] == ["1", "2"]


async def test_another_organisations_instance_does_not_exist(db, runtime, alice, tmp_path):
    stranger = platform_actor("a-request", org_id=new_id())
    found = await started(db, alice, desired(tmp_path / "v1"))

    with pytest.raises(InstanceNotFound):
        await look_at(db, stranger, found)
    with pytest.raises(InstanceNotFound):
        await logs(db, stranger, runtime.driver, found.id, 10)
    await ask_away(db, stranger, found)
    async with unit_of_work(db, stranger) as session:
        assert await instances(session, stranger) == []
    assert (await look_at(db, alice, found)).desired == "running"
    assert await events_of(db, stranger) == []


async def test_what_an_instance_uses_is_told_once_and_all_of_it(db, runtime, alice, tmp_path):
    busy = "import threading\ndef work():\n    while True: sum(range(1000))\n"
    source = busy + "threading.Thread(target=work, daemon=True).start()\n" + SERVER
    found = await started(db, alice, desired(tmp_path / "v1", source))
    told: list[RuntimeUsage] = []

    async def hear(_session: object, facts: Any) -> None:
        told.extend(fact for fact in facts if fact.instance_id == found.id)

    async def some() -> bool:
        await outbox.relay(db, [outbox.Consumer(RuntimeUsage, hear)])
        return len(told) >= 3 and sum(fact.cpu_seconds for fact in told) > 0.5

    await eventually(some)
    assert {(fact.agent, fact.version) for fact in told} == {("tax_advisor", "1")}
    assert all(before.at == after.since for before, after in zip(told, told[1:], strict=False))
    assert 0 < sum(fact.gib_seconds for fact in told) < 1


async def test_nobody_to_run_it_is_said_at_the_time_limit(db, alice, tmp_path):
    found = await ask_for(db, alice, desired(tmp_path / "v1"))

    with pytest.raises(InstanceNotHealthy):
        await wait_until_healthy(db, alice, found.id, 0.3)


async def test_program_that_cannot_be_read_fails_at_once_and_is_not_tried_again(db, runtime, alice, tmp_path):
    wanted = desired(tmp_path / "v1", python=tmp_path / "no-environment")
    found = await ask_for(db, alice, wanted)

    with pytest.raises(InstanceFailed, match="no-environment"):
        await wait_until_healthy(db, alice, found.id, 30)
    assert (await look_at(db, alice, found)).restarts == 0


async def test_runtime_says_how_it_isolates_while_it_lives(db, places):
    name = str(new_id())
    async with running(db, places, name):

        async def reported() -> Any:
            return [report for report in await isolation_report(db) if report.host == name]

        report = (await eventually(reported))[0]
        assert report.limits.memory in ("cgroup v1", "cgroup v2", "prlimit")
        assert set(report.checks.values()) <= {"held"}

    assert [report for report in await isolation_report(db) if report.host == name] == []


async def test_host_has_one_runtime_and_the_loser_stops_its_programs(db, places, alice, tmp_path):
    name = str(new_id())
    async with running(db, places, name) as host:
        found = await started(db, alice, desired(tmp_path / "v1"))
        async with system_unit_of_work(db) as session:  # as another machine would that took this one for dead
            await session.execute(
                text("update runtime.host set lease_owner = gen_random_uuid() where name = :name"), {"name": name}
            )

        with pytest.raises(LeaseLost):
            await asyncio.wait_for(host.task, 30)

        assert not alive(found.pid)


async def test_instance_that_another_host_has_taken_on_runs_there_and_no_longer_here(
    db, runtime, alice, tmp_path, short_directory
):
    found, there = await started(db, alice, desired(tmp_path / "v1")), str(new_id())

    async with running(db, host_places(tmp_path / "there", short_directory / "there"), there):
        await eventually(lambda: _lives(db, there))
        async with system_unit_of_work(db) as session:
            await session.execute(update(InstanceRow).where(InstanceRow.id == found.id).values(host=there))
        await eventually(lambda: none_alive([found.pid]))

        async def runs_there() -> bool:
            now = await look_at(db, alice, found)
            return now.observed == "healthy" and alive(now.pid)

        await eventually(runs_there)


async def _lives(db: Database, host: str) -> bool:
    return host in [report.host for report in await isolation_report(db)]


async def test_killed_runtime_ends_its_instances_and_the_next_one_starts_them_again(db, urls, places, alice, tmp_path):
    name = str(new_id())
    arguments = [urls.app, urls.system, name, str(places.runtime_directory.parents[1]), str(places.socket_directory)]
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", _RUNTIME, *arguments, cwd=_ROOT)
    found = await started(db, alice, desired(tmp_path / "v1"))
    pids = [found.pid, program_behind(found.pid)]

    killed.send_signal(signal.SIGKILL)
    await killed.wait()

    await eventually(lambda: none_alive(pids))
    async with running(db, places, name):

        async def back() -> Instance | None:
            now = await look_at(db, alice, found)
            return now if now.observed == "healthy" and now.pid != found.pid else None

        again = await eventually(back)
        assert again.socket == found.socket
        assert (await answer(again))["status"] == "ok"


async def test_killed_worker_touches_no_instance(db, urls, runtime, alice, tmp_path):
    wanted = desired(tmp_path / "v1")
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, urls.app, urls.system, str(alice.org_id), wanted.model_dump_json(),
        cwd=_ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    found_id = UUID((await worker.stdout.readline()).decode().strip())

    worker.send_signal(signal.SIGKILL)
    await worker.wait()

    async with unit_of_work(db, alice) as session:
        found = await instance(session, alice, found_id)
    assert found.observed == "healthy"
    assert (await answer(found))["status"] == "ok"


_ROOT = Path(__file__).parents[2]
_RUNTIME = """
import asyncio, sys
from pathlib import Path
from promptcraft.kernel.db import Database
from promptcraft.runtime import ProcessDriver, host_place, host_places, run_host

app, system, name, data, sockets = sys.argv[1:]
places = host_places(Path(data), Path(sockets).parent)

async def main():
    events = {"woken": asyncio.Event(), "stopping": asyncio.Event()}
    await run_host(Database.connect(app, system), ProcessDriver(places), name, host_place(places), **events)

asyncio.run(main())
"""
_WORKER = """
import asyncio, sys
from uuid import UUID
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.runtime import InstanceDesired, desire, wait_until_healthy

app, system, organisation, wanted = sys.argv[1:]

async def main():
    db, actor = Database.connect(app, system), platform_actor("a-request", org_id=UUID(organisation))
    async with unit_of_work(db, actor) as session:
        found = await desire(session, actor, InstanceDesired.model_validate_json(wanted))
    await wait_until_healthy(db, actor, found.id, 30)
    print(found.id, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_database_that_is_away_for_a_while_ends_no_instance(db, urls, runtime, alice, tmp_path):
    found = await started(db, alice, desired(tmp_path / "v1"))

    async with nobody_at(urls.app, db):
        await asyncio.sleep(3)  # several of the runtime's looks
        assert alive(found.pid)
    os.kill(program_behind(found.pid), signal.SIGKILL)

    async def back() -> bool:
        now = await look_at(db, alice, found)
        return now.observed == "healthy" and now.pid != found.pid

    await eventually(back)


@asynccontextmanager
async def nobody_at(address: str, db: Database) -> AsyncIterator[None]:
    """The server's door is gone and every connection through it broken, while the block runs."""
    (directory,) = parse_qs(urlsplit(address).query)["host"]
    door = Path(directory, ".s.PGSQL.5432")
    await asyncio.to_thread(door.rename, door.with_name("closed"))
    try:
        for engine in (db.app, db.system):
            async with engine.connect() as connection:  # one of the pool's: new ones do not get in any more
                await connection.execute(_BREAK_THE_OTHERS)
        yield
    finally:
        door.with_name("closed").rename(door)


class TestWhereNothingIsolates:
    @pytest.fixture
    async def open_runtime(self, db, places, alice, monkeypatch, tmp_path) -> AsyncIterator[Host]:
        """A runtime on a host that has everything but bubblewrap."""
        del alice  # her instances are to be gone before the next test's runtime could take them on
        monkeypatch.setenv("PATH", str(without_bubblewrap(tmp_path / "bin")))
        async with running(db, places, str(new_id())) as host:
            yield host

    async def test_agent_of_the_template_runs_and_that_it_does_so_unisolated_is_recorded(
        self, db, open_runtime, alice, tmp_path
    ):
        await started(db, alice, desired(tmp_path / "v1", trusted_template=True))

        assert await events_of(db, alice) == [7001, 7006]

    async def test_anything_else_fails_with_the_reason_and_is_not_tried_again(self, db, open_runtime, alice, tmp_path):
        found = await ask_for(db, alice, desired(tmp_path / "v1"))

        with pytest.raises(InstanceFailed, match="cannot isolate"):
            await wait_until_healthy(db, alice, found.id, 30)
        assert (await look_at(db, alice, found)).restarts == 0
