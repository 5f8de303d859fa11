"""Zen's periodic work."""

from promptcraft.kernel.jobs import StandingJob
from promptcraft.orchestrator.service import CLOSE_ORPHANS, close_orphans

STANDING_JOBS = (StandingJob(CLOSE_ORPHANS, 30.0, close_orphans),)
