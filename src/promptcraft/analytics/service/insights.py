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
    Metric,
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
    asks_quality = "quality" in request.metrics
    data = Insights(
        summary=summary,
        trends=await _trends(session, chosen, prices, request.metrics),
        agent_performance=await _agents(session, chosen, prices) if "performance" in request.metrics else None,
        quality=quality if asks_quality else None,
        # None are given until they can be computed from what was recorded.
        optimization_recommendations=() if asks_quality else None,
    )
    freshness = await waiting_time(session, actor, now)
    duration = round((time.perf_counter() - started) * 1000, 3)
    metadata = InsightsMetadata(generated_at=now, data_freshness=freshness, query_duration_ms=duration)
    return InsightsReport(data=data, metadata=metadata)


async def _trends(session: AsyncSession, chosen: Selection, prices: Prices, metrics: frozenset[Metric]) -> Trends:
    trends: dict[str, Any] = {}
    if "usage" in metrics:
        trends["query_volume"] = await _filled(session, statements.volume(chosen), QueryVolume, chosen)
    if "performance" in metrics:
        trends["response_times"] = await _filled(session, statements.percentiles(chosen), ResponseTimes, chosen)
    if "costs" in metrics:
        trends["cost_breakdown"] = await _filled(session, statements.costs(chosen, prices), Costs, chosen)
    return Trends(**trends)


async def _figures(session: AsyncSession, chosen: Selection, prices: Prices) -> tuple[Summary, Quality]:
    row = (await session.execute(statements.figures(chosen, prices))).mappings().one()
    derived = {
        "total_cost": row["model_cost"] + row["infrastructure_cost"],
        "agent_accuracy": row["answered_right"] / row["questions"] if row["questions"] else None,
    }
    return Summary.model_validate({**row, **derived}), Quality.model_validate({**row, **derived})


async def _agents(session: AsyncSession, chosen: Selection, prices: Prices) -> tuple[AgentPerformance, ...]:
    rows = (await session.execute(statements.agents(chosen, prices))).mappings()
    return tuple(AgentPerformance.model_validate(dict(row)) for row in rows)


async def _filled(
    session: AsyncSession, statement: statements.Statement, kind: type[B], chosen: Selection
) -> tuple[B, ...]:
    """A row of this kind for every bucket, also for those that nothing fell into."""
    rows = (await session.execute(statement)).mappings()
    found: dict[int, Mapping[Any, Any]] = {row["bucket"]: row for row in rows}
    # What nobody can know of a full bucket, nobody can know of an empty one.
    unknown = {} if chosen.knows_infrastructure else {"infrastructure_cost": None}
    return tuple(
        kind.model_validate({**found.get(number, unknown), "date": start})
        for number, start in enumerate(chosen.starts, start=1)
    )
