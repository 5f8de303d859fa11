"""What routes are made of: the envelope, the session, the permission at the door."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request, Response, params
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.kernel import context, pages
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.event import Event
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.errors import Forbidden
from promptcraft.kernel.pages import MOST, Page
from promptcraft.kernel.permissions import Permission

T = TypeVar("T")


class Envelope(BaseModel, Generic[T]):
    """How every answer of the API is wrapped (specification §5)."""

    status: str = "success"
    data: T


async def authenticated(request: Request) -> Actor:
    """The caller of this request, resolved once. Raises Unauthenticated."""
    if not hasattr(request.state, "actor"):
        describe_route(request)
        request.state.actor = await request.app.state.authenticate(request)
    return request.state.actor


async def _db(request: Request) -> Database:
    return request.app.state.db


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    actor = await authenticated(request)
    async with unit_of_work(request.app.state.db, actor) as session:
        yield session


# For services that reach outside, which open their own transactions before and after.
Db = Annotated[Database, Depends(_db)]

# scope="function": commit before the answer is sent, so that a 201 is a promise kept
Session = Annotated[AsyncSession, Depends(_session, scope="function")]


async def _page(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many entries at most")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=1_000, description="Where to go on: from the `Link` of the page before")
    ] = None,
) -> Page:
    filters = sorted(one for one in request.query_params.multi_items() if one[0] not in ("cursor", "limit"))
    of_list = f"{request.url.path} {filters}"

    def further(place: tuple[str, ...]) -> None:
        url = request.url.include_query_params(cursor=pages.cursor(of_list, place))
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'

    return Page(limit, pages.place_of(of_list, cursor) if cursor else (), further)


# For routes that list: the Link of their answers leads to the next page.
AskedPage = Annotated[Page, Depends(_page)]


class Door:
    """What a route declares about who may pass and what it leaves in the audit log; tests walk the routes for it."""

    def __init__(self, permission: Permission | None, event: Event | None, public_because: str | None = None) -> None:
        self.permission = permission
        self.event = event
        self.public_because = public_because

    async def __call__(self, request: Request) -> Actor | None:
        describe_route(request)
        context.current().action = self.event
        if self.permission is None:
            return None
        actor = await authenticated(request)
        if not actor.may(self.permission):
            raise Forbidden(f"This needs the permission {self.permission}.")
        return actor


def describe_route(request: Request) -> None:
    """Tell the work's context which route this is and which status its success will have."""
    work = context.current()
    route: Any = request.scope.get("route")
    work.endpoint = getattr(route, "path", work.endpoint)
    work.declared_status = getattr(route, "status_code", None) or 200
    work.path_parameters = {name: str(value) for name, value in request.path_params.items()}


def requires(permission: Permission, event: Event | None = None) -> params.Depends:
    """The caller, if it holds the permission; 403 and its audit event otherwise.

    A route that changes something names the `event` that its success leaves.
    """
    return Depends(Door(permission, event))


def public(because: str, event: Event | None = None) -> params.Depends:
    """No caller is needed, for a reason that the list of public routes shows."""
    return Depends(Door(None, event, because))


def door_of(dependant: Any) -> Door | None:
    """The door that a route's dependencies declare; None where it has none."""
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Door):
            return dependency.call
        found = door_of(dependency)
        if found is not None:
            return found
    return None
