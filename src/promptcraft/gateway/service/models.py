"""Which models the actor's organisation can ask."""

import asyncio

from promptcraft.gateway.schemas import Model
from promptcraft.gateway.service.catalogue import Catalogue, Served
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
