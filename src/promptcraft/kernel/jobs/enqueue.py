"""Starting a job with the change that asks for it."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from pydantic import BaseModel
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import clock, context
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.db import Wakeup, wake_after_commit
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.jobs.model import JobState
from promptcraft.kernel.jobs.tables import JobRow, JobStepRow


async def enqueue(
    session: AsyncSession,
    actor: Actor,
    kind: str,
    payload: BaseModel,
    steps: Sequence[str],
    *,
    job_id: UUID | None = None,
    warnings: Sequence[str] = (),
) -> UUID:
    """A job in the actor's organisation, on the actor's behalf, made by the same transaction as its reason.

    `steps` names the steps of the kind that this job goes through, in order. Returns the job's id.
    """
    identifier = job_id or new_id()
    work = context.current()
    session.add(
        JobRow(
            org_id=actor.org_id,
            id=identifier,
            kind=kind,
            state=JobState.PENDING,
            payload=payload.model_dump_json(),
            user_id=actor.user_id,
            session_id=actor.session_id,
            user_name=actor.name,
            permissions=" ".join(sorted(actor.permissions)),
            request_id=work.request_id,
            correlation_id=work.correlation_id,
            phase="pending",
            # As leases are, by the database's clock.
            run_after=func.clock_timestamp(),
            warnings=orjson.dumps(list(warnings)).decode(),
            created_at=clock.now(),
        )
    )
    await session.flush()
    for position, name in enumerate(steps):
        session.add(
            JobStepRow(org_id=actor.org_id, job_id=identifier, name=name, position=position, state=JobState.PENDING)
        )
    wake_after_commit(session, Wakeup("job", str(identifier)))
    return identifier
