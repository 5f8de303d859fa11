"""Figures."""

from datetime import datetime, timedelta
from typing import Any

from promptcraft_sdk.client.schemas.base import Answer, Envelope, Number


class Summary(Answer):
    total_queries: int = 0
    unique_users: int | None = None
    avg_response_time_ms: Number | None = None
    success_rate: Number | None = None
    total_cost: Number | None = None
    user_satisfaction: Number | None = None
    agent_accuracy: Number | None = None


class AgentPerformance(Answer):
    agent_id: str
    query_count: int = 0
    avg_response_time: Number | None = None
    success_rate: Number | None = None
    user_rating: Number | None = None
    cost_per_query: Number | None = None


class Insights(Answer):
    """§5.2's body: what was not asked for is absent; None where nothing is known yet."""

    summary: Summary
    trends: dict[str, tuple[dict[str, Any], ...]] = {}
    agent_performance: tuple[AgentPerformance, ...] | None = None


class InsightsMetadata(Answer):
    generated_at: datetime
    data_freshness: timedelta
    query_duration_ms: Number


class InsightsReport(Envelope[Insights]):
    """The insights, and how fresh they are."""

    metadata: InsightsMetadata


class Realtime(Answer):
    """The last five minutes; None where nothing ran."""

    avg_response_time_ms: Number | None = None
    success_rate: Number | None = None
    active_workflows: int | None = None
    queue_length: int | None = None
