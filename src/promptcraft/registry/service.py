"""Who is registered, with which tools, in which environment."""

from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy import delete, select, text, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import audit, clock, outbox
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.registry import SERVER_REGISTERED, SERVER_STATUS_CHANGED, SERVER_UNREGISTERED
from promptcraft.registry.errors import ServerNotFound
from promptcraft.registry.schemas import (
    Kind,
    Server,
    ServerRegistered,
    ServerRegistration,
    ServerStatus,
    ToolContract,
)
from promptcraft.registry.tables import RevisionRow, ServerRow, ToolRow
from promptcraft.runtime import Environment

# Every query asks this: plain text spares it the mapping.
_REVISION = text("select number from registry.revision where org_id = :org_id")


async def register_server(session: AsyncSession, actor: Actor, registration: ServerRegistration) -> Server:
    """Put a server into the registry, in place of the one of its name and environment."""
    described = registration.model_dump(exclude={"tools", "evaluation", "name", "environment"})
    described |= {"registered_at": clock.now()}
    key = {"org_id": actor.org_id, "name": registration.name, "environment": registration.environment}
    written = await session.scalars(
        insert(ServerRow)
        .values(**key, **described)
        .on_conflict_do_update(constraint="server_pkey", set_=described)
        .returning(ServerRow)
        .execution_options(populate_existing=True)
    )
    row = written.one()
    await _replace_tools(session, row, registration.tools)
    await _count_change(session, actor)
    await audit.record(
        session, actor, SERVER_REGISTERED, resource=row.name, environment=row.environment,
        version=row.version, kind=row.kind, tools=len(registration.tools),
    )  # fmt: skip
    await outbox.publish(
        session,
        ServerRegistered(
            server=row.name,
            kind=registration.kind,
            environment=registration.environment,
            version=row.version,
            registered_at=row.registered_at,
            evaluation=registration.evaluation,
        ),
    )
    return _server(row, registration.tools)


async def unregister_server(
    session: AsyncSession, actor: Actor, name: str, environment: Environment | None = None
) -> int:
    """Take a server out of one environment, or of all of them; returns of how many. None registered is no error."""
    which = [ServerRow.org_id == actor.org_id, ServerRow.name == name]
    if environment is not None:
        which.append(ServerRow.environment == environment)
    removed = (await session.scalars(delete(ServerRow).where(*which).returning(ServerRow.environment))).all()
    for one in removed:
        await audit.record(session, actor, SERVER_UNREGISTERED, resource=name, environment=one)
    if removed:
        await _count_change(session, actor)
    return len(removed)


async def set_status(
    session: AsyncSession, actor: Actor, name: str, environment: Environment, status: ServerStatus
) -> None:
    """Say how a registered server fares. Raises ServerNotFound."""
    which = (ServerRow.org_id == actor.org_id, ServerRow.name == name, ServerRow.environment == environment)
    before = await session.scalar(select(ServerRow.status).where(*which).with_for_update())
    if before is None:
        raise ServerNotFound(f"No server {name} is registered in {environment}.")
    if before == status:
        return
    await session.execute(update(ServerRow).where(*which).values(status=status))
    await _count_change(session, actor)
    await audit.record(
        session, actor, SERVER_STATUS_CHANGED, resource=name, environment=environment, status=status, before=before
    )


async def servers(
    session: AsyncSession, actor: Actor, *, kind: Kind | None = None, name: str | None = None
) -> list[Server]:
    """The organisation's registered servers with their tools, by name and environment."""
    which = [ServerRow.org_id == actor.org_id]
    if kind is not None:
        which.append(ServerRow.kind == kind)
    if name is not None:
        which.append(ServerRow.name == name)
    rows = (
        await session.scalars(select(ServerRow).where(*which).order_by(ServerRow.name, ServerRow.environment))
    ).all()
    tools = await _tools(session, actor, {row.name for row in rows})
    return [_server(row, tools.get((row.name, row.environment), [])) for row in rows]


async def tool_contracts(
    session: AsyncSession, actor: Actor, name: str, environment: Environment
) -> list[ToolContract]:
    """A server's tools in the order it listed them; empty where it is not registered."""
    return (await _tools(session, actor, {name})).get((name, environment), [])


async def exists(session: AsyncSession, actor: Actor, names: Iterable[str]) -> frozenset[str]:
    """Those of the names that are a registered server's or one of its tools'."""
    wanted = list(names)
    known = union(
        select(ServerRow.name).where(ServerRow.org_id == actor.org_id, ServerRow.name.in_(wanted)),
        select(ToolRow.name).where(ToolRow.org_id == actor.org_id, ToolRow.name.in_(wanted)),
    )
    return frozenset((await session.scalars(known)).all())


async def revision(session: AsyncSession, actor: Actor) -> int:
    """Grows with every change of the organisation's registry; 0 before the first."""
    return await session.scalar(_REVISION, {"org_id": actor.org_id}) or 0


async def _replace_tools(session: AsyncSession, row: ServerRow, tools: Sequence[ToolContract]) -> None:
    key = {"org_id": row.org_id, "server": row.name, "environment": row.environment}
    await session.execute(delete(ToolRow).filter_by(**key))
    values = [
        {
            **key,
            "name": tool.name,
            "position": position,
            "description": tool.description,
            "input_schema": orjson.dumps(tool.input_schema).decode(),
            "output_schema": None if tool.output_schema is None else orjson.dumps(tool.output_schema).decode(),
        }
        for position, tool in enumerate(tools)
    ]
    if values:
        await session.execute(insert(ToolRow).values(values))


async def _count_change(session: AsyncSession, actor: Actor) -> None:
    change = insert(RevisionRow).values(org_id=actor.org_id, number=1)
    await session.execute(
        change.on_conflict_do_update(constraint="revision_pkey", set_={"number": RevisionRow.number + 1})
    )


async def _tools(session: AsyncSession, actor: Actor, names: set[str]) -> dict[tuple[str, str], list[ToolContract]]:
    rows = await session.scalars(
        select(ToolRow).where(ToolRow.org_id == actor.org_id, ToolRow.server.in_(names)).order_by(ToolRow.position)
    )
    found: dict[tuple[str, str], list[ToolContract]] = {}
    for row in rows:
        contract = ToolContract(
            name=row.name,
            description=row.description,
            input_schema=orjson.loads(row.input_schema),
            output_schema=None if row.output_schema is None else orjson.loads(row.output_schema),
        )
        found.setdefault((row.server, row.environment), []).append(contract)
    return found


def _server(row: ServerRow, tools: Sequence[ToolContract]) -> Server:
    columns = {name: getattr(row, name) for name in Server.model_fields if name != "tools"}
    return Server.model_validate({**columns, "tools": tuple(tools)})
