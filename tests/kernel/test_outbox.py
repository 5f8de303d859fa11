"""Facts reach their consumers once, after the change is committed, and one bad fact holds up no other."""

from typing import ClassVar
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.db import Database, system_unit_of_work, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.outbox import Consumer, Fact, publish, relay
from tests.conftest import Platform


class Happened(Fact):
    topic: ClassVar[str] = "test.happened"
    number: int


class Inbox:
    def __init__(self) -> None:
        self.taken: list[tuple[UUID, int]] = []
        self.refuses: set[int] = set()

    async def consume(self, session: AsyncSession, facts: list[Happened]) -> None:
        for fact in facts:
            if fact.number in self.refuses:
                raise ValueError("cannot be taken in")
            self.taken.append((session.info["org_id"], fact.number))

    def registered(self) -> list[Consumer]:
        return [Consumer(Happened, self.consume)]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def org() -> Actor:
    return platform_actor(org_id=new_id())


async def tell(db: Database, actor: Actor, *numbers: int) -> None:
    async with unit_of_work(db, actor) as session:
        for number in numbers:
            await publish(session, Happened(number=number))


async def test_facts_are_taken_in_once_in_their_organisation_and_order(db, org, inbox):
    await tell(db, org, 1, 2)
    await tell(db, platform_actor(), 3)

    await relay(db, inbox.registered())
    await relay(db, inbox.registered())

    assert [n for o, n in inbox.taken if o == org.org_id] == [1, 2]
    assert (platform_actor().org_id, 3) in inbox.taken


async def test_rolled_back_change_tells_nothing(db, org, inbox):
    with pytest.raises(RuntimeError):
        async with unit_of_work(db, org) as session:
            await publish(session, Happened(number=1))
            raise RuntimeError

    await relay(db, inbox.registered())

    assert [o for o, _ in inbox.taken if o == org.org_id] == []


async def test_fact_that_cannot_be_taken_in_waits_alone_and_is_tried_again(db, org, inbox):
    inbox.refuses = {2}
    await tell(db, org, 1, 2, 3)
    await relay(db, inbox.registered())
    assert [n for o, n in inbox.taken if o == org.org_id] == [1, 3]
    inbox.refuses = set()
    async with unit_of_work(db, org) as session:
        await session.execute(text("update kernel.outbox set retry_at = now()"))

    await relay(db, inbox.registered())

    assert [n for o, n in inbox.taken if o == org.org_id] == [1, 3, 2]


async def waiting(nobody: httpx.AsyncClient) -> float:
    metrics = (await nobody.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in metrics if line.startswith("promptcraft_outbox_waiting "))


async def test_metrics_of_the_api_count_the_facts_that_wait(platform: Platform, nobody: httpx.AsyncClient, org):
    before = await waiting(nobody)

    await tell(platform.db, org, 1, 2)

    assert await waiting(nobody) == before + 2


async def test_system_reads_that_facts_wait_but_writes_none(db, org):
    await tell(db, org, 1)

    async with system_unit_of_work(db) as session:
        assert await session.scalar(text("select count(*) from kernel.outbox where delivered_at is null")) >= 1
    with pytest.raises(Exception, match="permission denied"):
        async with system_unit_of_work(db) as session:
            await session.execute(text("update kernel.outbox set payload = '{}'"))
