"""Ending an execution before it has an answer, and hearing that somebody has. No transaction is open while waiting."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.gateway import spent
from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.orchestrator import EXECUTION_CANCELLED
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.errors import Forbidden, Unavailable
from promptcraft.kernel.happenings import Followers, until_look
from promptcraft.kernel.permissions import Permission
from promptcraft.orchestrator.errors import ExecutionOver
from promptcraft.orchestrator.schemas import Execution, ExecutionStatus
from promptcraft.orchestrator.service import ledger
from promptcraft.orchestrator.tables import ExecutionTextRow

CANCELLED = "cancelled"


async def cancel_execution(session: AsyncSession, actor: Actor, execution_id: UUID) -> Execution:
    """End a running execution: the actor's own, or anybody's where they may cancel all.

    The process that asks the agent hears of it and ends that, too. One that was cancelled already stays so. Raises
    ExecutionNotFound (another's, too), Forbidden, ExecutionOver where it has ended otherwise.
    """
    row = await ledger.visible(session, actor, execution_id)
    if row.user_id != actor.user_id and not actor.may(Permission.EXECUTION_CANCEL_ALL):
        raise Forbidden(f"It is somebody else's: this needs the permission {Permission.EXECUTION_CANCEL_ALL}.")
    models = await spent(session, actor, execution_id)
    values: dict[str, Any] = {
        "processing_time_ms": round((clock.now() - row.created_at).total_seconds() * 1000),
        "total_cost": models.cost,
        "tokens": models.tokens,
        "error": f"{actor.name} cancelled it.",
        "error_code": CANCELLED,
    }
    closed = await ledger.close(session, actor, execution_id, ExecutionStatus.CANCELLED, EXECUTION_CANCELLED, **values)
    if closed is None:
        await session.refresh(row)
        if row.status != ExecutionStatus.CANCELLED:
            raise ExecutionOver(f"It is {row.status}.")
    return ledger.execution_of(row, await session.get(ExecutionTextRow, (actor.org_id, row.created_at, row.id)))


async def closed_elsewhere(db: Database, followers: Followers, actor: Actor, execution_id: UUID) -> None:
    """Returns once this execution has a final state, which whoever waits here has not given it."""
    with followers.hearing(execution_id) as changed:
        while True:
            changed.clear()
            await until_look(changed, followers.look_seconds)
            with suppress(Unavailable):
                async with unit_of_work(db, actor) as session:
                    if (await ledger.visible(session, actor, execution_id)).finished_at is not None:
                        return
