"""Which models the actor's organisation can ask, and which its agents."""

import asyncio
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.gateway.schemas import Model
from promptcraft.gateway.service.catalogue import Catalogue, Served
from promptcraft.gateway.service.grants import Grant
from promptcraft.gateway.service.opening import Gateway
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.db import unit_of_work


async def models(gateway: Gateway, actor: Actor) -> list[Model]:
    """Every model that may be asked, by name, with the provider that is asked first.

    A provider without a list of its own is asked for it.
    """
    async with unit_of_work(gateway.db, actor) as session:
        catalogue = await gateway.catalogues.of(session, actor)
    found: dict[str, str] = {}
    for served, names in zip(catalogue.providers, await _names(gateway, catalogue), strict=True):
        for name in names:
            found.setdefault(name, served.name)
    return [Model(id=name, owned_by=owner) for name, owner in sorted(found.items()) if catalogue.allows(name)]


async def _names(gateway: Gateway, catalogue: Catalogue) -> list[tuple[str, ...]]:
    async def of(served: Served) -> tuple[str, ...]:
        return tuple(served.models) or await gateway.listed.of(gateway.providers, served)

    return await asyncio.gather(*(of(served) for served in catalogue.providers))


async def grant(
    gateway: Gateway, session: AsyncSession, actor: Actor, agent: str, execution_id: UUID, ends_at: datetime
) -> str | None:
    """What lets this agent ask its model for this execution; None where it is to ask none."""
    catalogue = await gateway.catalogues.of(session, actor)
    if catalogue.model_of(agent) is None:
        return None
    return gateway.grants.write(Grant(actor.org_id, agent, execution_id, actor.user_id, ends_at))
