"""Zen's work: routing, asking, keeping."""

from promptcraft.orchestrator.service.execution import Zen, execute
from promptcraft.orchestrator.service.history import (
    CLOSE_ORPHANS,
    close_orphans,
    execution,
    executions,
    give_feedback,
    model_calls,
    running_executions,
)

__all__ = [
    "CLOSE_ORPHANS",
    "Zen",
    "close_orphans",
    "execute",
    "execution",
    "executions",
    "give_feedback",
    "model_calls",
    "running_executions",
]
