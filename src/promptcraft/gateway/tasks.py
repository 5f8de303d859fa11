"""The gateway's periodic work."""

from promptcraft.gateway.service import CLOSE_ORPHANS, close_orphans
from promptcraft.kernel.jobs import StandingJob

STANDING_JOBS = (StandingJob(CLOSE_ORPHANS, 30.0, close_orphans),)
