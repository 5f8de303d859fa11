"""What a process does beside its requests ends when it is told to."""

import asyncio

from promptcraft.kernel.tasks import end


async def test_a_task_that_took_its_cancellation_for_a_time_limit_ends_all_the_same():
    begun = asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)

    async def fails() -> None:
        raise ZeroDivisionError

    tasks = asyncio.create_task(stubborn()), asyncio.create_task(fails())
    await begun.wait()

    async with asyncio.timeout(30):
        await end(*tasks)

    assert tasks[0].cancelled()
    assert isinstance(tasks[1].exception(), ZeroDivisionError)


async def test_nothing_to_end_is_no_wait():
    async with asyncio.timeout(30):
        await end()
