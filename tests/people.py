"""People with tokens, who speak to the platform over HTTP as anybody would."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from promptcraft.identity import Identity, add_user, sign_in
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, system_unit_of_work
from promptcraft.kernel.ids import new_id

PASSWORD = "correct horse battery staple"


@dataclass
class Person:
    """Somebody signed in. Requests go through the whole application; answers are httpx's."""

    name: str
    org_id: UUID
    user_id: UUID
    db: Database = field(repr=False)
    client: httpx.AsyncClient = field(repr=False)

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        return await self.client.get(path, params={k: v for k, v in parameters.items() if v is not None})

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.client.post(path, json=body, **options)

    async def delete(self, path: str) -> httpx.Response:
        return await self.client.delete(path)

    async def events(self) -> list[int]:
        """Catalogue ids of what this person left in the log since signing in, in order."""
        async with system_unit_of_work(self.db) as session:
            found = await session.scalars(
                text(
                    "select catalogue_id from audit.event"
                    " where user_id = :user and catalogue_id not between 2000 and 2999 order by event_id"
                ),
                {"user": self.user_id},
            )
            return list(found)

    @property
    def actor(self) -> Actor:
        """The person as services see them, without any permission."""
        return Actor(self.org_id, self.user_id, new_id(), frozenset(), "test", self.name)


async def arrive(
    identity: Identity, app: Any, org_id: UUID, name: str, roles: tuple[str, ...], groups: tuple[str, ...] = ()
) -> Person:
    """Make the account and sign it in."""
    with enter(WorkContext("host", "arrival", "arrival")):
        user_id = await add_user(identity.db, platform_actor(org_id=org_id), name, PASSWORD, roles=roles, groups=groups)
        tokens = await sign_in(identity, name, PASSWORD)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
        base_url="http://promptcraft.test",
        headers={"Authorization": f"Bearer {tokens.access_token}"},
    )
    return Person(name, org_id, user_id, identity.db, client)
