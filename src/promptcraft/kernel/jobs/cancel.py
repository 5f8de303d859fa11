"""Cancelling a job: what it did is undone by the worker that has it, or by the next one."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.db import Wakeup, wake_after_commit
from promptcraft.kernel.happenings import tell_followers
from promptcraft.kernel.jobs.model import JobState
from promptcraft.kernel.jobs.tables import JobRow

CANCELLED = "cancelled"


async def cancel_job(session: AsyncSession, actor: Actor, job_id: UUID) -> bool:
    """Have a job undone instead of finished; False where it has ended, or is being undone already.

    The job's lease stays with who holds it: two workers would be in each other's way.
    """
    job = await session.get(JobRow, (actor.org_id, job_id), with_for_update=True, populate_existing=True)
    if job is None or job.state not in (JobState.PENDING, JobState.RUNNING):
        return False
    job.state, job.error, job.error_code = JobState.CANCELLING, f"{actor.name} cancelled it.", CANCELLED
    job.next_step, job.run_after = None, clock.now()
    await session.flush()
    wake_after_commit(session, Wakeup("job", str(job_id)))
    tell_followers(session, job_id)
    return True
