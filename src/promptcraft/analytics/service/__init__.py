"""Taking facts in, and telling what they add up to."""

from promptcraft.analytics.service.insights import insights
from promptcraft.analytics.service.intake import CONSUMERS
from promptcraft.analytics.service.realtime import realtime

__all__ = ["CONSUMERS", "insights", "realtime"]
