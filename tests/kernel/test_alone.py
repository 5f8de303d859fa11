from sqlalchemy import text

from promptcraft.kernel.db import system_unit_of_work


async def test_statement_outlives_the_connection_that_it_was_first_sent_over(db):
    backend = text("select pg_backend_pid()")
    before = await db.alone.first_value(backend, {})
    async with system_unit_of_work(db) as session:
        ended = await session.scalar(text("select count(*) from pg_stat_activity where pid = :pid"), {"pid": before})
    await _end(db, before)

    after = await db.alone.first_value(backend, {})

    assert ended == 1
    assert after != before


async def _end(db, pid: int) -> None:
    """As `app` may end connections of its own."""
    async with db.app.connect() as connection:
        await connection.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
