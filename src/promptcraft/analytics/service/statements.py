"""The statements behind a report, one a block, over the rows themselves: percentiles are exact."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Float, Integer, Numeric, Select, Subquery, cast, func, literal, null, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from promptcraft.analytics.schemas import Prices
from promptcraft.analytics.service.selection import Selection
from promptcraft.analytics.tables import (
    AgentEvaluationRow,
    ExecutionFactRow,
    ExecutionRatingRow,
    ModelCallFactRow,
    RuntimeUsageRow,
)

Statement = Select[*tuple[Any, ...]]
_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

_execution, _rating, _usage, _evaluation = ExecutionFactRow, ExecutionRatingRow, RuntimeUsageRow, AgentEvaluationRow
_call = ModelCallFactRow
mean_time: ColumnElement[Any] = func.avg(_execution.response_time_ms)
# What somebody cancelled neither succeeded nor failed.
success_rate: ColumnElement[Any] = cast(
    func.avg(cast(_execution.status == "completed", Integer)).filter(_execution.status != "cancelled"), Float
)


def figures(chosen: Selection, prices: Prices) -> Statement:
    """One row: the whole range."""
    ratings, evaluations = _ratings(chosen), _evaluations(chosen)
    infrastructure = select(func.coalesce(_cost_of_usage(prices), 0)).where(*chosen.usage())
    direct = select(func.coalesce(func.sum(_call.cost), 0)).where(*chosen.direct_calls())
    return select(
        func.count().label("total_queries"),
        func.count(_execution.user_id.distinct()).label("unique_users"),
        mean_time.label("avg_response_time_ms"),
        success_rate.label("success_rate"),
        (func.coalesce(func.sum(_execution.model_cost), 0) + direct.scalar_subquery()).label("model_cost"),
        infrastructure.scalar_subquery().label("infrastructure_cost"),
        select(func.count(ratings.c.rating)).scalar_subquery().label("ratings"),
        select(func.avg(ratings.c.rating)).scalar_subquery().label("user_satisfaction"),
        select(evaluations.c.questions).scalar_subquery().label("questions"),
        select(evaluations.c.answered_right).scalar_subquery().label("answered_right"),
    ).where(*chosen.executions())


def volume(chosen: Selection) -> Statement:
    """Rows (bucket, count)."""
    return _by_bucket(chosen, func.count().label("count"))


def percentiles(chosen: Selection) -> Statement:
    """Rows (bucket, p50, p95, p99), interpolated between neighbours."""
    times = _execution.response_time_ms
    columns = [func.percentile_cont(share).within_group(times).label(name) for name, share in _PERCENTILES.items()]
    return _by_bucket(chosen, *columns)


def costs(chosen: Selection, prices: Prices) -> Statement:
    """Rows (bucket, model_cost, infrastructure_cost)."""
    nothing = literal(Decimal(0), Numeric)
    models = _by_bucket(chosen, func.sum(_execution.model_cost).label("model"), nothing.label("infrastructure"))
    bucket = chosen.bucket(_usage.ended_at).label("bucket")
    infrastructure = select(bucket, nothing, _cost_of_usage(prices)).where(*chosen.usage()).group_by(bucket)
    called = chosen.bucket(_call.created_at).label("bucket")
    direct = select(called, func.sum(_call.cost), nothing).where(*chosen.direct_calls()).group_by(called)
    both = union_all(models, direct, infrastructure).subquery()
    return select(
        both.c.bucket,
        func.coalesce(func.sum(both.c.model), 0).label("model_cost"),
        (func.sum(both.c.infrastructure) if chosen.knows_infrastructure else null()).label("infrastructure_cost"),
    ).group_by(both.c.bucket)


def agents(chosen: Selection, prices: Prices) -> Statement:
    """One row an agent, the busiest first; one that only ran is there too, as it cost something."""
    asked, ratings, usage = _by_agent(chosen), _ratings(chosen), _usage_by_agent(chosen, prices)
    rated = select(ratings.c.agent, func.avg(ratings.c.rating).label("mean")).group_by(ratings.c.agent).subquery()
    agent_id = func.coalesce(asked.c.agent, usage.c.agent)
    query_count = func.coalesce(asked.c.query_count, 0)
    infrastructure = func.coalesce(usage.c.cost, 0) if chosen.knows_infrastructure else null()
    return (
        select(
            agent_id.label("agent_id"),
            query_count.label("query_count"),
            asked.c.avg_response_time,
            asked.c.success_rate,
            rated.c.mean.label("user_rating"),
            asked.c.cost_per_query,
            infrastructure.label("infrastructure_cost"),
        )
        .select_from(asked.join(usage, asked.c.agent == usage.c.agent, full=True))
        .join(rated, rated.c.agent == asked.c.agent, isouter=True)
        .order_by(query_count.desc(), agent_id)
    )


def _by_bucket(chosen: Selection, *columns: ColumnElement[Any]) -> Statement:
    bucket = chosen.bucket(_execution.created_at).label("bucket")
    return select(bucket, *columns).where(*chosen.executions()).group_by(bucket)


def _by_agent(chosen: Selection) -> Subquery:
    columns = (
        func.count().label("query_count"),
        mean_time.label("avg_response_time"),
        success_rate.label("success_rate"),
        func.avg(_execution.model_cost).label("cost_per_query"),
    )
    named = _execution.agent.is_not(None)
    return select(_execution.agent, *columns).where(*chosen.executions(), named).group_by(_execution.agent).subquery()


def _usage_by_agent(chosen: Selection, prices: Prices) -> Subquery:
    cost = _cost_of_usage(prices).label("cost")
    return select(_usage.agent, cost).where(*chosen.usage()).group_by(_usage.agent).subquery()


def _ratings(chosen: Selection) -> Subquery:
    same = (_rating.org_id == _execution.org_id) & (_rating.execution_id == _execution.execution_id)
    return select(_execution.agent, _rating.rating).join(_rating, same).where(*chosen.executions()).subquery()


def _evaluations(chosen: Selection) -> Subquery:
    questions, right = func.sum(_evaluation.questions), func.sum(_evaluation.answered_right)
    columns = func.coalesce(questions, 0).label("questions"), right.label("answered_right")
    return select(*columns).where(*chosen.evaluations()).subquery()


def _cost_of_usage(prices: Prices) -> ColumnElement[Any]:
    return func.sum(_usage.cpu_seconds) * prices.cpu_second + func.sum(_usage.gib_seconds) * prices.gib_second
