"""Jobs: what a caller sees of them when steps fail, when workers die, and when two want the same one."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.errors import Conflict
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import (
    JobKind,
    JobView,
    Retry,
    StandingJob,
    Step,
    StepContext,
    enqueue,
    ensure_standing_jobs,
    job_view,
    run_job,
    run_standing_job,
)
from promptcraft.kernel.jobs.queue import job_queue


class Order(BaseModel):
    number: int


class Bench:
    """Records what the steps of a job did, in order, and lets a test decide how one behaves."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.raises: dict[str, list[BaseException]] = {}

    def kind(self, *names: str) -> JobKind:
        return JobKind("test", Order, tuple(self._step(name) for name in names))

    def _step(self, name: str) -> Step:
        async def run(step: StepContext) -> dict[str, int]:
            self.done.append(name)
            if self.raises.get(name):
                raise self.raises[name].pop(0)
            return {"order": step.payload.number, "earlier": len(step.results)}

        async def undo(step: StepContext) -> None:
            self.done.append(f"undo {name}")

        return Step(name, run, undo)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
async def actor() -> AsyncIterator[Actor]:
    yield platform_actor("a-request", org_id=new_id())


async def ordered(db: Database, actor: Actor, *steps: str) -> UUID:
    async with unit_of_work(db, actor) as session:
        return await enqueue(session, actor, "test", Order(number=7), steps)


async def seen(db: Database, actor: Actor, job: UUID) -> JobView:
    async with unit_of_work(db, actor) as session:
        view = await job_view(session, actor.org_id, job)
    assert view is not None
    return view


async def is_due_again(db: Database, job: UUID) -> None:
    """Let the time pass that a lease or a delay takes."""
    async with system_unit_of_work(db) as session:
        await session.execute(text("update kernel.job set lease_until = null, run_after = now()"))


async def test_job_goes_through_its_steps_and_shows_them(db, actor, bench):
    job = await ordered(db, actor, "a", "b")

    await run_job(db, {"test": bench.kind("a", "b")}, job, "w")

    view = await seen(db, actor, job)
    assert (view.state, view.percentage, [step.status for step in view.steps]) == ("completed", 100, ["completed"] * 2)
    assert bench.done == ["a", "b"]


async def test_failed_step_is_named_and_everything_begun_is_undone_in_reverse(db, actor, bench):
    bench.raises["b"] = [Conflict("the name is taken")]
    job = await ordered(db, actor, "a", "b", "c")

    await run_job(db, {"test": bench.kind("a", "b", "c")}, job, "w")

    view = await seen(db, actor, job)
    assert (view.state, view.error, view.error_code) == ("failed", "the name is taken", "conflict")
    assert [(step.name, step.status) for step in view.steps] == [("a", "undone"), ("b", "failed"), ("c", "pending")]
    assert bench.done == ["a", "b", "undo b", "undo a"]


async def test_interrupted_job_goes_on_where_it_was(db, actor, bench):
    bench.raises["b"] = [asyncio.CancelledError()]
    job = await ordered(db, actor, "a", "b")
    kinds = {"test": bench.kind("a", "b")}
    with pytest.raises(asyncio.CancelledError):
        await run_job(db, kinds, job, "dies")
    await is_due_again(db, job)

    await run_job(db, kinds, job, "goes on")

    assert (await seen(db, actor, job)).state == "completed"
    assert bench.done == ["a", "b", "b"]


async def test_step_that_kills_its_worker_every_time_is_given_up_and_undone(db, actor, bench):
    bench.raises["b"] = [asyncio.CancelledError() for _ in range(10)]
    job = await ordered(db, actor, "a", "b")
    kinds = {"test": bench.kind("a", "b")}
    for _ in range(3):
        with pytest.raises(asyncio.CancelledError):
            await run_job(db, kinds, job, "dies")
        await is_due_again(db, job)

    await run_job(db, kinds, job, "sees to it")

    view = await seen(db, actor, job)
    assert (view.state, view.error_code) == ("failed", "interrupted")
    assert bench.done[-2:] == ["undo b", "undo a"]


async def test_passing_trouble_is_tried_again_later_without_undoing(db, actor, bench):
    bench.raises["a"] = [Retry("the engine is starting")]
    job = await ordered(db, actor, "a")
    kinds = {"test": bench.kind("a")}
    await run_job(db, kinds, job, "w")
    assert (await seen(db, actor, job)).state == "running"
    await is_due_again(db, job)

    await run_job(db, kinds, job, "w")

    view = await seen(db, actor, job)
    assert (view.state, view.error) == ("completed", None)
    assert bench.done == ["a", "a"]


async def test_two_workers_woken_for_one_job_run_it_once(db, actor, bench):
    job = await ordered(db, actor, "a", "b")
    kinds = {"test": bench.kind("a", "b")}

    await asyncio.gather(*(run_job(db, kinds, job, f"w{n}") for n in range(4)))

    assert bench.done == ["a", "b"]


async def test_worker_that_lost_its_lease_changes_nothing_more(db, actor, bench):
    job = await ordered(db, actor, "slow", "after")

    async def slow(step: StepContext) -> None:
        async with system_unit_of_work(db) as session:
            await session.execute(text("update kernel.job set fencing_token = fencing_token + 1"))

    kind = JobKind("test", Order, (Step("slow", slow), bench.kind("after").steps[0]))
    await run_job(db, {"test": kind}, job, "late")

    view = await seen(db, actor, job)
    assert [step.status for step in view.steps] == ["running", "pending"]
    assert bench.done == []


async def test_another_organisations_job_does_not_exist(db, actor):
    job = await ordered(db, actor, "a")
    stranger = platform_actor(org_id=new_id())

    async with unit_of_work(db, stranger) as session:
        assert await job_view(session, actor.org_id, job) is None


async def test_job_with_a_step_of_a_newer_version_waits_for_its_workers(db, actor, bench):
    job = await ordered(db, actor, "a", "newer")
    for _ in range(5):
        await run_job(db, {"test": bench.kind("a")}, job, "older")
        await is_due_again(db, job)
    assert bench.done == []

    await run_job(db, {"test": bench.kind("a", "newer")}, job, "newer")

    assert (await seen(db, actor, job)).state == "completed"
    assert bench.done == ["a", "newer"]


async def test_what_a_job_failed_for_stays_told_while_it_is_undone(db, actor, bench):
    async def refuse(step: StepContext) -> None:
        raise Conflict("the name is taken")

    async def undo(step: StepContext) -> None:
        if bench.raises["undo"]:
            raise bench.raises["undo"].pop()

    bench.raises["undo"] = [RuntimeError("not now")]
    kinds = {"test": JobKind("test", Order, (Step("a", refuse, undo),))}
    job = await ordered(db, actor, "a")
    await run_job(db, kinds, job, "w")
    await is_due_again(db, job)

    await run_job(db, kinds, job, "w")

    view = await seen(db, actor, job)
    assert (view.state, view.error) == ("failed", "the name is taken")


@pytest.mark.parametrize(("woken", "times"), [(False, 1), (True, 3)])
async def test_periodic_work_is_done_when_due_and_more_often_only_where_it_is_woken(db, woken, times):
    done: list[Database] = []

    async def run(db: Database) -> None:
        done.append(db)

    job = StandingJob(f"tidy.{woken}", 3600, run, woken=woken)
    await ensure_standing_jobs(db, [job])

    for _ in range(3):
        await run_standing_job(db, {job.name: job}, job.name, "w")

    assert len(done) == times


async def test_periodic_work_of_a_newer_version_is_left_alone(db):
    await run_standing_job(db, {}, "newer.work", "w")


def test_broker_that_speaks_tls_must_show_its_certificate():
    connection = job_queue("rediss://cache.example.org:6379/0").celery.connection_for_write()

    assert connection.ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
