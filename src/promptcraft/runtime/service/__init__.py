"""Desired state in, running programs out."""

from promptcraft.runtime.service.desired import (
    WAKEUP,
    desire,
    healthy_sockets,
    instance,
    instances,
    logs,
    undesire,
    wait_until_gone,
    wait_until_healthy,
)
from promptcraft.runtime.service.hosts import isolation_report
from promptcraft.runtime.service.keeper import Doors, Pace
from promptcraft.runtime.service.loop import LeaseLost, run_host
from promptcraft.runtime.service.observed import Wanted

__all__ = [
    "WAKEUP",
    "LeaseLost",
    "Doors",
    "Wanted",
    "Pace",
    "desire",
    "healthy_sockets",
    "instance",
    "instances",
    "isolation_report",
    "logs",
    "run_host",
    "undesire",
    "wait_until_gone",
    "wait_until_healthy",
]
