"""Sessions of follow-ups: what came before, and who answered it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel.actor import Actor
from promptcraft.kernel.ids import new_id, time_of
from promptcraft.orchestrator.errors import SessionNotFound
from promptcraft.orchestrator.tables import ConversationRow, ExecutionRow, ExecutionTextRow

_ANSWER_CHARACTERS = 600
_MOST_QUESTIONS = 3


@dataclass(frozen=True, slots=True)
class Before:
    """What a query follows up on; `context` holds the latest questions and the beginning of the last answer.

    A conversation that `begins` is written down with the query's execution.
    """

    session_id: UUID
    last_agent: str | None
    context: tuple[str, ...]
    begins: bool = False


async def begin_or_resume(session: AsyncSession, actor: Actor, session_id: UUID | None) -> Before:
    """A new conversation, or the caller's own of this id. Raises SessionNotFound."""
    if session_id is None:
        return Before(new_id(), None, (), begins=True)
    row = await session.get(ConversationRow, (actor.org_id, session_id))
    if row is None or row.user_id != actor.user_id:
        raise SessionNotFound
    return Before(row.id, row.last_agent, await _context(session, actor, row.id, row.last_execution_id))


async def _context(session: AsyncSession, actor: Actor, session_id: UUID, last: UUID | None) -> tuple[str, ...]:
    """The latest questions of the conversation up to the one that is followed up on, and the beginning of its answer.

    A follow-up to a follow-up is about what the first of them was about.
    """
    if last is None:
        return ()
    of_execution = (ExecutionTextRow.org_id == ExecutionRow.org_id) & (
        ExecutionTextRow.created_at == ExecutionRow.created_at
    )
    said = (
        select(ExecutionTextRow.prompt, ExecutionTextRow.answer)
        .join(ExecutionRow, of_execution & (ExecutionTextRow.execution_id == ExecutionRow.id))
        .where(ExecutionRow.org_id == actor.org_id, ExecutionRow.user_id == actor.user_id, ExecutionRow.answered)
        .where(ExecutionRow.session_id == session_id, ExecutionRow.created_at <= time_of(last))
        .order_by(ExecutionRow.created_at.desc(), ExecutionRow.id.desc())
        .limit(_MOST_QUESTIONS)
    )
    latest_first = (await session.execute(said)).all()
    if not latest_first:
        return ()
    answer = (latest_first[0].answer or "")[:_ANSWER_CHARACTERS]
    return tuple(one for one in (*(row.prompt for row in reversed(latest_first)), answer) if one)
