"""Sessions of follow-ups: what came before, and who answered it."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.ids import new_id, time_of
from promptcraft.orchestrator.errors import SessionNotFound
from promptcraft.orchestrator.tables import ConversationRow, ExecutionTextRow

_ANSWER_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Before:
    """What a query follows up on; `context` holds the query before it and the beginning of its answer."""

    session_id: UUID
    last_agent: str | None
    context: tuple[str, ...]


async def begin_or_resume(session: AsyncSession, actor: Actor, session_id: UUID | None) -> Before:
    """A new conversation, or the caller's own of this id. Raises SessionNotFound."""
    if session_id is None:
        row = ConversationRow(org_id=actor.org_id, id=new_id(), user_id=actor.user_id, started_at=clock.now())
        session.add(row)
        return Before(row.id, None, ())
    row = await session.get(ConversationRow, (actor.org_id, session_id))
    if row is None or row.user_id != actor.user_id:
        raise SessionNotFound
    return Before(row.id, row.last_agent, await _context(session, actor, row.last_execution_id))


async def remember(session: AsyncSession, actor: Actor, session_id: UUID, execution_id: UUID, agent: str) -> None:
    """Make this execution the one that the next query of the session follows up on."""
    await session.execute(
        update(ConversationRow)
        .where(ConversationRow.org_id == actor.org_id, ConversationRow.id == session_id)
        .values(last_execution_id=execution_id, last_agent=agent)
    )


async def _context(session: AsyncSession, actor: Actor, execution_id: UUID | None) -> tuple[str, ...]:
    if execution_id is None:
        return ()
    text = await session.get(ExecutionTextRow, (actor.org_id, time_of(execution_id), execution_id))
    if text is None:
        return ()
    said = (text.prompt, (text.answer or "")[:_ANSWER_CHARACTERS])
    return tuple(one for one in said if one)
