"""An organisation that tells analytics facts the way the platform does, at a time that stands still."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from promptcraft import analytics
from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.outbox import Fact, publish, relay
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.orchestrator import ExecutionFinished, ExecutionRated
from promptcraft.registry import Evaluation, ServerRegistered
from promptcraft.runtime import RuntimeUsage

NOW = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)  # a Tuesday
ALICE, BOB = UUID(int=1), UUID(int=2)


def execution(at: datetime = NOW - timedelta(hours=1), **given: Any) -> ExecutionFinished:
    """A finished execution that was asked at this time."""
    known: dict[str, Any] = {
        "execution_id": new_id(),
        "created_at": at,
        "finished_at": at,
        "user_id": ALICE,
        "session_id": UUID(int=2),
        "status": "completed",
        "answered": True,
        "agent": "tax_advisor",
        "agent_version": "1",
        "environment": "development",
        "score": 0.9,
        "processing_time_ms": 100,
        "model_cost": Decimal(0),
        "tokens": None,
        "steps_completed": 2,
    }
    return ExecutionFinished.model_validate(known | given)


def rating(of: ExecutionFinished, stars: int, *, by: UUID = ALICE, at: datetime = NOW) -> ExecutionRated:
    return ExecutionRated(execution_id=of.execution_id, user_id=by, rating=stars, given_at=at)


def usage(
    cpu: str, gib: str, *, at: datetime = NOW - timedelta(hours=1), agent: str = "tax_advisor", instance: int = 1
) -> RuntimeUsage:
    return RuntimeUsage(
        instance_id=UUID(int=instance),
        agent=agent,
        version="1",
        environment="development",
        since=at - timedelta(minutes=1),
        at=at,
        cpu_seconds=Decimal(cpu),
        gib_seconds=Decimal(gib),
    )


def gate(agent: str, questions: int, correct: int, *, at: datetime = NOW, environment: Any = "production"):
    found = Evaluation(questions=questions, correct=correct) if questions else None
    return ServerRegistered(
        server=agent, kind="agent", environment=environment, version="1", registered_at=at, evaluation=found
    )


@dataclass
class Organisation:
    """Tells facts and asks for insights, at `now`."""

    db: Database
    prices: analytics.Prices = field(default_factory=analytics.Prices)
    now: datetime = NOW
    actor: Actor = field(default_factory=lambda: platform_actor(org_id=new_id()))

    async def writes(self, *facts: Fact) -> None:
        with clock.use(lambda: self.now):
            async with unit_of_work(self.db, self.actor) as session:
                for fact in facts:
                    await publish(session, fact)

    async def tells(self, *facts: Fact) -> None:
        await self.writes(*facts)
        await relay(self.db, analytics.CONSUMERS)

    async def report(self, **parameters: Any) -> analytics.InsightsReport:
        request = analytics.InsightsRequest.model_validate(parameters)
        with clock.use(lambda: self.now):
            async with unit_of_work(self.db, self.actor) as session:
                return await analytics.insights(session, self.actor, request, self.prices)

    async def insights(self, **parameters: Any) -> dict[str, Any]:
        """The report's data as the API shows it."""
        return (await self.report(**parameters)).model_dump(mode="json")["data"]

    async def realtime(self) -> dict[str, Any]:
        with clock.use(lambda: self.now):
            async with unit_of_work(self.db, self.actor) as session:
                return (await analytics.realtime(session, self.actor)).model_dump(mode="json")


@pytest.fixture(scope="module")
async def year(urls) -> None:
    """The partitions of the year before NOW, as an installation has them that ran all the time."""
    database = Database.connect(urls.app, urls.system)
    for months in range(0, 14, 3):
        with clock.use(lambda ago=months: NOW - timedelta(days=30 * ago)):
            await keep_partitions(database)
    await database.dispose()


@pytest.fixture
def found(db: Database, year: None) -> Callable[..., Organisation]:
    """Founds an organisation."""
    return lambda **given: Organisation(db, **given)


@pytest.fixture
def acme(found: Callable[..., Organisation]) -> Organisation:
    return found()
