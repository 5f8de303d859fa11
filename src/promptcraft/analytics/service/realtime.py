"""The last five minutes (§6.4)."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.analytics.schemas import Realtime
from promptcraft.analytics.service.statements import mean_time, success_rate
from promptcraft.analytics.tables import ExecutionFactRow
from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.jobs import jobs_waiting
from promptcraft.orchestrator import running_executions

_WINDOW = timedelta(minutes=5)


async def realtime(session: AsyncSession, actor: Actor) -> Realtime:
    """How the actor's organisation does: what finished in the last five minutes, what runs and what waits now."""
    row = ExecutionFactRow
    now = clock.now()
    recent = (row.org_id == actor.org_id, row.finished_at > now - _WINDOW, row.finished_at <= now)
    statement = select(mean_time.label("avg_response_time_ms"), success_rate.label("success_rate")).where(*recent)
    finished = (await session.execute(statement)).mappings().one()
    return Realtime(
        **finished,
        active_workflows=await running_executions(session, actor),
        queue_length=await jobs_waiting(session, actor.org_id),
    )
