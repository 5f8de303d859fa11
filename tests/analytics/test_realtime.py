"""§6.4's four figures over the last five minutes."""

from datetime import timedelta

from pydantic import BaseModel

from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.jobs import enqueue
from tests.analytics.conftest import NOW, execution


class Anything(BaseModel):
    pass


async def test_only_what_finished_in_the_last_five_minutes_counts(acme):
    ago = lambda **time: NOW - timedelta(**time)  # noqa: E731 - read as a phrase
    await acme.tells(
        execution(ago(minutes=9), finished_at=ago(minutes=4), processing_time_ms=300_000),
        execution(ago(minutes=1), processing_time_ms=100_000, status="timed_out"),
        execution(ago(minutes=6), processing_time_ms=7),
    )

    now = await acme.realtime()

    assert (now["avg_response_time_ms"], now["success_rate"]) == (200_000.0, 0.5)


async def test_nothing_is_known_where_nothing_ran(acme, found):
    await found().tells(execution(NOW - timedelta(minutes=1)))

    now = await acme.realtime()

    assert (now["avg_response_time_ms"], now["success_rate"]) == (None, None)


async def test_queue_is_what_no_worker_has_begun(acme, found):
    assert (await acme.realtime())["queue_length"] == 0

    for organisation, jobs in ((acme, 2), (found(), 1)):
        async with unit_of_work(organisation.db, organisation.actor) as session:
            for _ in range(jobs):
                await enqueue(session, organisation.actor, "test", Anything(), ["first"])

    assert (await acme.realtime())["queue_length"] == 2
