"""Every route says who may pass and what it leaves in the audit log; no permission is without a use."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from promptcraft.app import health
from promptcraft.app.parts import routers
from promptcraft.kernel.api import Door, door_of
from promptcraft.kernel.permissions import BUNDLES, GROUPS, ROLES, Permission, Role
from tests.architecture.tree import files, text

# Who adds to this list says why in `public("...")`; the reason is in the route.
PUBLIC = {
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("POST", "/auth/token"),
    ("POST", "/auth/revoke"),
    ("POST", "/auth/accept-invitation"),
}
OF_THE_FRAMEWORK = {"/openapi.json"}


def _application() -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    for router in (health.router, *routers()):
        app.include_router(router)
    return app


def _operations(app: FastAPI) -> Iterator[tuple[str, str, RouteContext]]:
    for route in iter_route_contexts(app.routes):
        if route.path not in OF_THE_FRAMEWORK:
            yield from ((method, route.path or "", route) for method in sorted(route.methods or ()))


APP = _application()
OPERATIONS = list(_operations(APP))


def _door(route: RouteContext) -> Door | None:
    return door_of(route.dependant)


def test_routes_seen_here_are_the_operations_of_the_api() -> None:
    described = {(method.upper(), path) for path, item in APP.openapi()["paths"].items() for method in item}

    assert {(method, path) for method, path, _ in OPERATIONS} == described
    assert len(OPERATIONS) == len(described)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: " ".join(operation[:2]))
def test_route_has_a_door(operation: tuple[str, str, RouteContext]) -> None:
    method, path, route = operation
    door = _door(route)

    assert door is not None, "name requires(Permission....) or public(because)"
    assert (door.permission is None) == ((method, path) in PUBLIC)
    if door.permission is None:
        assert door.public_because


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if operation[0] not in ("GET", "HEAD", "OPTIONS")],
    ids=lambda operation: " ".join(operation[:2]),
)
def test_route_that_changes_something_names_its_event(operation: tuple[str, str, RouteContext]) -> None:
    door = _door(operation[2])

    assert door is not None
    assert door.event is not None


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: " ".join(operation[:2]))
def test_route_is_described_for_a_reader(operation: tuple[str, str, RouteContext]) -> None:
    method, path, _ = operation
    described = APP.openapi()["paths"][path][method.lower()]

    assert described["description"], "the docstring of a route is its description"


@pytest.mark.parametrize("permission", Permission, ids=str)
def test_permission_is_asked_for_somewhere_and_held_by_somebody(permission: Permission) -> None:
    asked = f"Permission.{permission.name}"
    product = [name for name in files() if name.startswith("src/promptcraft/") and name.endswith(".py")]
    held = {one for bundles in (*ROLES.values(), *GROUPS.values()) for bundle in bundles for one in BUNDLES[bundle]}

    assert any(asked in text(name) for name in product if name != "src/promptcraft/kernel/permissions.py")
    assert permission in held


def test_every_role_has_its_bundles() -> None:
    assert set(ROLES) == set(Role)
