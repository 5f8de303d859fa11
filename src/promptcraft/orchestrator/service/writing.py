"""An execution's intent and its outcome, each written by one statement.

Every query runs these two; through the mapped rows they would be seven. The columns are those of tables.py.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.ids import time_of
from promptcraft.orchestrator.schemas import ExecutionStatus
from promptcraft.orchestrator.service.conversations import Before
from promptcraft.orchestrator.tables import ExecutionRow, ExecutionTextRow

_INTENT = text("""
    with conversation as (
        insert into orchestrator.conversation (org_id, id, user_id, started_at)
        select :org_id, :session_id, cast(:user_id as uuid), :created_at where :begins
    ), execution as (
        insert into orchestrator.workflow_executions (
            org_id, created_at, id, user_id, session_id, status, answered, candidates, steps, steps_completed,
            trace_id, deadline)
        values (
            :org_id, :created_at, :id, cast(:user_id as uuid), :session_id, 'running', false, :candidates, :steps, 0,
            :trace_id, :deadline)
    )
    insert into orchestrator.execution_text (org_id, created_at, execution_id, prompt, citations)
    values (:org_id, :created_at, :id, :prompt, '[]')
""")
# What is not running any more stays as it is, and so does all that hangs on it.
_OUTCOME = text("""
    with closed as (
        update orchestrator.workflow_executions
        set status = :status, finished_at = :finished_at, answered = :answered,
            processing_time_ms = :processing_time_ms, total_cost = :total_cost, tokens = :tokens, steps = :steps,
            steps_completed = :steps_completed, error = :error, error_code = :error_code, agent_id = :agent_id,
            agent_version = :agent_version, environment = :environment, routing_score = :routing_score
        where org_id = :org_id and created_at = :created_at and id = :id and status = 'running'
        returning *
    ), said as (
        update orchestrator.execution_text as said set answer = :answer, citations = :citations from closed
        where said.org_id = :org_id and said.created_at = :created_at and said.execution_id = :id
        returning said.prompt
    ), followed as (
        update orchestrator.conversation as followed set last_execution_id = :id, last_agent = :agent_id from closed
        where closed.answered and followed.org_id = :org_id and followed.id = closed.session_id
    )
    select closed.*, said.prompt from closed left join said on true
""")


async def write_intent(
    session: AsyncSession,
    actor: Actor,
    execution_id: UUID,
    before: Before,
    deadline: datetime,
    *,
    prompt: str,
    candidates: str,
    steps: str,
    trace_id: str | None,
) -> None:
    """Write down an execution that begins, with its conversation where that begins with it."""
    values = {
        "org_id": actor.org_id, "id": execution_id, "created_at": time_of(execution_id), "user_id": actor.user_id,
        "session_id": before.session_id, "begins": before.begins, "deadline": deadline, "prompt": prompt,
        "candidates": candidates, "steps": steps, "trace_id": trace_id,
    }  # fmt: skip
    await session.execute(_INTENT, values)


async def write_outcome(
    session: AsyncSession, actor: Actor, execution_id: UUID, status: ExecutionStatus, values: Mapping[str, Any]
) -> tuple[ExecutionRow, ExecutionTextRow] | None:
    """Bring a running execution to its final state; None where it has one already. The rows belong to no session."""
    key = {"org_id": actor.org_id, "created_at": time_of(execution_id), "id": execution_id}
    written = await session.execute(_OUTCOME, {**values, **key, "status": status.value, "finished_at": clock.now()})
    found = written.mappings().one_or_none()
    if found is None:
        return None
    columns = dict(found)
    said = ExecutionTextRow(prompt=columns.pop("prompt"), answer=values["answer"], citations=values["citations"])
    return ExecutionRow(**columns), said
