"""Zen: routes queries to agents and keeps what came of them."""

from promptcraft.orchestrator.schemas import ExecutionFinished, ExecutionRated, Feedback, FeedbackGiven

__all__ = ["ExecutionFinished", "ExecutionRated", "Feedback", "FeedbackGiven"]
