"""The report of §5.2, put together from one statement a block."""

import time
from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.analytics.schemas import (
    AgentPerformance,
    Costs,
    Insights,
    InsightsMetadata,
    InsightsReport,
    InsightsRequest,
    Prices,
    Quality,
    QueryVolume,
    ResponseTimes,
    Summary,
    Trends,
)
from promptcraft.analytics.service import statements
from promptcraft.analytics.service.freshness import waiting_time
from promptcraft.analytics.service.selection import Selection
from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor

B = TypeVar("B", QueryVolume, ResponseTimes, Costs)


async def insights(session: AsyncSession, actor: Actor, request: InsightsRequest, prices: Prices) -> InsightsReport:
    """What the actor's organisation asked of its agents in the range that ends now, and what came of it.

    An execution belongs to the moment it was asked; it succeeded where its status is completed. Costs are USD: those of
    models as each execution recorded them, those of infrastructure as the agents' processes used CPU and memory, at
    `prices`. Nothing is guessed: where there is nothing to average, the figure is None.
    """
    started = time.perf_counter()
    now = clock.now()
    chosen = Selection.of(actor.org_id, request, now)
    summary, quality = await _figures(session, chosen, prices)
    wants = request.metrics.__contains__
    trends = Trends(
        query_volume=await _filled(session, statements.volume(chosen), QueryVolume, chosen) if wants("usage") else None,
        response_times=await _filled(session, statements.percentiles(chosen), ResponseTimes, chosen)
        if wants("performance")
        else None,
        cost_breakdown=await _costs(session, chosen, prices) if wants("costs") else None,
    )
    data = Insights(
        summary=summary,
        trends=trends,
        agent_performance=await _agents(session, chosen, prices) if wants("performance") else None,
        quality=quality if wants("quality") else None,
        # None are given until they can be computed from what was recorded.
        optimization_recommendations=() if wants("quality") else None,
    )
    freshness = await waiting_time(session, actor, now)
    duration = round((time.perf_counter() - started) * 1000, 3)
    metadata = InsightsMetadata(generated_at=now, data_freshness=freshness, query_duration_ms=duration)
    return InsightsReport(data=data, metadata=metadata)


async def _figures(session: AsyncSession, chosen: Selection, prices: Prices) -> tuple[Summary, Quality]:
    row = (await session.execute(statements.figures(chosen, prices))).mappings().one()
    derived = {
        "total_cost": row["model_cost"] + row["infrastructure_cost"],
        "agent_accuracy": row["answered_right"] / row["questions"] if row["questions"] else None,
    }
    return Summary.model_validate({**row, **derived}), Quality.model_validate({**row, **derived})


async def _costs(session: AsyncSession, chosen: Selection, prices: Prices) -> tuple[Costs, ...]:
    empty = {} if chosen.knows_infrastructure else {"infrastructure_cost": None}
    return await _filled(session, statements.costs(chosen, prices), Costs, chosen, **empty)


async def _agents(session: AsyncSession, chosen: Selection, prices: Prices) -> tuple[AgentPerformance, ...]:
    rows = (await session.execute(statements.agents(chosen, prices))).mappings()
    return tuple(AgentPerformance.model_validate(dict(row)) for row in rows)


async def _filled(
    session: AsyncSession, statement: statements.Statement, kind: type[B], chosen: Selection, **empty: Any
) -> tuple[B, ...]:
    """A row of this kind for every bucket, also for those that nothing fell into."""
    rows = (await session.execute(statement)).mappings()
    found: dict[int, Mapping[Any, Any]] = {row["bucket"]: row for row in rows}
    return tuple(
        kind.model_validate({**found.get(number, empty), "date": start})
        for number, start in enumerate(chosen.starts, start=1)
    )
