"""Jobs: what a caller sees of them when steps fail, when workers die, and when two want the same one."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import text

from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.errors import Conflict
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs import JobKind, JobView, Retry, Step, StepContext, enqueue, job_view, run_job


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

    assert (await seen(db, actor, job)).state == "completed"
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
