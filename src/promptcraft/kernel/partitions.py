"""Partitions are made ahead of need and dropped by functions of `owner`; `system` may only call them."""

from sqlalchemy import text

from promptcraft.kernel import clock
from promptcraft.kernel.db import Database, system_unit_of_work


async def keep_partitions(db: Database) -> None:
    """Make the partitions of now and of the time ahead, drop those past their keeping. At every start, then daily."""
    async with system_unit_of_work(db) as session:
        await session.execute(text("select kernel.make_partitions(:at)"), {"at": clock.now()})
        # Where two clocks disagree, what is past its keeping by one of them only is kept.
        old = text("select kernel.drop_partitions(least(:at, clock_timestamp()))")
        await session.execute(old, {"at": clock.now()})
