"""Zen's work: routing, asking, keeping."""

from promptcraft.orchestrator.service.cancelling import cancel_execution
from promptcraft.orchestrator.service.execution import Zen, execute
from promptcraft.orchestrator.service.history import (
    CLOSE_ORPHANS,
    close_orphans,
    execution,
    execution_happening,
    executions,
    give_feedback,
    model_calls,
    running_executions,
)

__all__ = [
    "CLOSE_ORPHANS",
    "Zen",
    "cancel_execution",
    "close_orphans",
    "execute",
    "execution",
    "execution_happening",
    "executions",
    "give_feedback",
    "model_calls",
    "running_executions",
]
