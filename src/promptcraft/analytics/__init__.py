"""What the organisation's use of its agents adds up to: facts taken in, insights given out."""

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
    Realtime,
    Recommendation,
    ResponseTimes,
    Summary,
    Trends,
)
from promptcraft.analytics.service import CONSUMERS, insights, realtime

__all__ = [
    "CONSUMERS",
    "AgentPerformance",
    "Costs",
    "Insights",
    "InsightsMetadata",
    "InsightsReport",
    "InsightsRequest",
    "Prices",
    "Quality",
    "QueryVolume",
    "Realtime",
    "Recommendation",
    "ResponseTimes",
    "Summary",
    "Trends",
    "insights",
    "realtime",
]
