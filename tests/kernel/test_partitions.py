import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from promptcraft.kernel import clock
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.partitions import keep_partitions

_INSERT = text(
    "insert into audit.event (org_id, event_id, occurred_at, retention_class, catalogue_id, request_id, canonical)"
    " values (:org, gen_random_uuid(), :at, 'standard', 1, '', '{}')"
)


async def test_partitions_are_there_ahead_of_need_also_three_months_on(db: Database):
    later = datetime.now(UTC) + timedelta(days=92)
    actor = platform_actor()
    with pytest.raises(Unavailable, match="not prepared for the time"):
        async with unit_of_work(db, actor) as session:
            await session.execute(_INSERT, {"org": actor.org_id, "at": later})

    with clock.use(lambda: later):
        await keep_partitions(db)

    async with unit_of_work(db, actor) as session:
        await session.execute(_INSERT, {"org": actor.org_id, "at": later})
        await session.execute(_INSERT, {"org": actor.org_id, "at": later + timedelta(days=31)})


async def test_processes_that_start_together_make_them_once(db: Database):
    a_year_on = datetime.now(UTC) + timedelta(days=365)

    with clock.use(lambda: a_year_on):
        await asyncio.gather(*(keep_partitions(db) for _ in range(4)))

    async with unit_of_work(db, platform_actor()) as session:
        await session.execute(_INSERT, {"org": platform_actor().org_id, "at": a_year_on})


async def test_the_application_makes_no_partition_itself(db: Database):
    with pytest.raises(DBAPIError, match="permission denied"):
        async with unit_of_work(db, platform_actor()) as session:
            await session.execute(text("select kernel.make_partitions(now())"))
