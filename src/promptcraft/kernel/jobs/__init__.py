"""Background work: a row in PostgreSQL decides who does it, Celery only says when."""

from promptcraft.kernel.jobs.cancel import cancel_job
from promptcraft.kernel.jobs.enqueue import enqueue
from promptcraft.kernel.jobs.model import (
    FenceLost,
    JobKind,
    JobState,
    JobView,
    Retry,
    StandingJob,
    Step,
    StepContext,
    StepView,
)
from promptcraft.kernel.jobs.runner import run_job
from promptcraft.kernel.jobs.standing import DueWork, due_work, ensure_standing_jobs, idle_seconds, run_standing_job
from promptcraft.kernel.jobs.view import job_view, jobs_unfinished, jobs_waiting, median_duration, others_unfinished

__all__ = [
    "DueWork",
    "FenceLost",
    "JobKind",
    "JobState",
    "JobView",
    "Retry",
    "StandingJob",
    "Step",
    "StepContext",
    "StepView",
    "cancel_job",
    "due_work",
    "enqueue",
    "ensure_standing_jobs",
    "idle_seconds",
    "job_view",
    "jobs_unfinished",
    "jobs_waiting",
    "median_duration",
    "others_unfinished",
    "run_job",
    "run_standing_job",
]
