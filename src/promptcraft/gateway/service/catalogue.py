"""Which models an organisation has, of whom, and what it allows: read at most once a second, not on each call."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.gateway.clients import Endpoint
from promptcraft.gateway.errors import ModelNotAllowed, ModelNotFound
from promptcraft.gateway.schemas import Policy
from promptcraft.gateway.tables import PolicyRow, ProviderRow
from promptcraft.kernel.actor import Actor

# How long a change made by another process may be overlooked.
_LOOK_AGAIN_SECONDS = 1.0
_MOST_ORGANISATIONS = 10_000
# How an agent names the model that its organisation lets it answer through.
AGENTS_OWN = "default"


@dataclass(frozen=True, slots=True)
class Served:
    """A provider to ask. `models` maps names as callers use them to the provider's own; empty: any name, as it is."""

    name: str
    endpoint: Endpoint
    models: Mapping[str, str] = field(default_factory=dict[str, str])

    def own_name(self, model: str) -> str | None:
        """What the provider calls this model; None where it has no such."""
        return self.models.get(model) if self.models else model


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider to ask for a model, by the provider's own name of it."""

    provider: Served
    model: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One organisation's providers in the order in which they are asked, and its policy."""

    policy: Policy
    providers: tuple[Served, ...]

    def allows(self, model: str) -> bool:
        return self.policy.allowed_models is None or model in self.policy.allowed_models

    def model_of(self, agent: str) -> str | None:
        """The model that this agent answers through; None where it has none."""
        model = self.policy.agent_models.get(agent) or self.policy.agent_models.get("*")
        return model if model is not None and self.allows(model) else None

    def asked_by(self, agent: str, model: str) -> str:
        """The model that an agent means, which may call it `default`. Raises ModelNotAllowed for any but its own."""
        own = self.model_of(agent)
        if own is None or model not in (own, AGENTS_OWN):
            raise ModelNotAllowed(f"The agent {agent} may not ask the model {model}.")
        return own

    def choices(self, model: str) -> list[Choice]:
        """Whom to ask for a model, in order. Raises ModelNotAllowed, ModelNotFound."""
        if not self.allows(model):
            raise ModelNotAllowed(f"Your organisation does not allow the model {model}.")
        named = ((one, one.own_name(model)) for one in self.providers)
        found = [Choice(provider, own) for provider, own in named if own is not None]
        if not found:
            raise ModelNotFound(f"No provider here has the model {model}.")
        return found


class Catalogues:
    """Every organisation's catalogue as this process saw it last. `given` are the platform's own providers."""

    def __init__(self, opened: Callable[[UUID, UUID, str], str], given: Sequence[Served] = ()) -> None:
        self._opened = opened
        self.given = tuple(given)
        self._known: OrderedDict[UUID, tuple[float, Catalogue]] = OrderedDict()

    async def of(self, session: AsyncSession, actor: Actor) -> Catalogue:
        """The actor's organisation's."""
        known = self.known(actor.org_id)
        if known is not None:
            return known
        read_at = time.monotonic()
        catalogue = await self._read(session, actor.org_id)
        self._known[actor.org_id] = read_at, catalogue
        self._known.move_to_end(actor.org_id)
        while len(self._known) > _MOST_ORGANISATIONS:
            self._known.popitem(last=False)
        return catalogue

    def known(self, org_id: UUID) -> Catalogue | None:
        """What was read within the last second; None where it is to be read again."""
        read_at, catalogue = self._known.get(org_id, (0.0, None))
        return catalogue if time.monotonic() - read_at < _LOOK_AGAIN_SECONDS else None

    def forget(self, org_id: UUID) -> None:
        """Look again: this process changed it."""
        self._known.pop(org_id, None)

    async def _read(self, session: AsyncSession, org_id: UUID) -> Catalogue:
        policy = await policy_of(session, org_id)
        mine = (ProviderRow.org_id == org_id, ProviderRow.enabled)
        rows = await session.scalars(select(ProviderRow).where(*mine).order_by(ProviderRow.priority, ProviderRow.name))
        own = [self.served(row) for row in rows]
        return Catalogue(policy, (*own, *self.given) if policy.platform_providers else tuple(own))

    def served(self, row: ProviderRow) -> Served:
        """A provider of an organisation's own, with its key."""
        key = self._opened(row.org_id, row.id, row.sealed_key)
        endpoint = Endpoint("azure" if row.kind == "azure" else "openai", row.base_url, key, row.api_version)
        return Served(row.name, endpoint, orjson.loads(row.models))


async def policy_of(session: AsyncSession, org_id: UUID) -> Policy:
    row = await session.get(PolicyRow, org_id)
    return Policy() if row is None else Policy.model_validate_json(row.policy)
