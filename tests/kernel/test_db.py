"""What a unit of work raises when the database fails it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.errors import Unavailable

DISK_FULL, OUT_OF_MEMORY, TOO_MANY_CONNECTIONS = "53100", "53200", "53300"
CONFLICT, DEADLOCK, TOOK_TOO_LONG, LOCKED, ONLY_READS = "40001", "40P01", "57014", "55P03", "25006"
DIVISION_BY_ZERO, NO_SUCH_TABLE = "22012", "42P01"


async def fail(db, state: str) -> None:
    async with unit_of_work(db, platform_actor()) as session:
        await session.execute(text(f"do $$ begin raise sqlstate '{state}'; end $$"))


@pytest.mark.parametrize(
    "state",
    [DISK_FULL, OUT_OF_MEMORY, TOO_MANY_CONNECTIONS, CONFLICT, DEADLOCK, TOOK_TOO_LONG, LOCKED, ONLY_READS],
)
async def test_what_passes_is_for_another_attempt(db, state):
    with pytest.raises(Unavailable):
        await fail(db, state)


@pytest.mark.parametrize("state", [DIVISION_BY_ZERO, NO_SUCH_TABLE])
async def test_a_defect_stays_one(db, state):
    with pytest.raises(DBAPIError):
        await fail(db, state)
