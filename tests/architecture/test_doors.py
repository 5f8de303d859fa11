"""Every route says who may pass and what it leaves in the log."""

import json

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from promptcraft.app.api import make_app
from promptcraft.app.process import open_process
from promptcraft.kernel.api import Door, door_of
from promptcraft.kernel.audit import Outcome, events
from promptcraft.kernel.permissions import Permission
from promptcraft.settings import load_settings

# Who is not signed in yet, or is a machine without credentials. Each says why in its route.
PUBLIC = {
    ("GET", "/health"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/.well-known/jwks.json"),
    ("POST", "/auth/token"),
}
# Held by people already, used by routes of a context that is not built yet.
NOT_USED_YET = {Permission.COST_READ}
# Asked for inside a service, where the answer depends on whose rows are wanted.
ASKED_FOR_INSIDE = {Permission.EXECUTION_READ_ALL, Permission.PLATFORM_AUDIT_READ}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """The application as it is served; nothing connects before the first request."""
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    environment = {
        "PROMPTCRAFT_DB_APP_URL": nowhere,
        "PROMPTCRAFT_DB_SYSTEM_URL": nowhere,
        "ANALYTICS_DB_URL": nowhere,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "PROMPTCRAFT_MASTER_KEY": "k" * 43,
    }
    return make_app(open_process("api", load_settings(environment)))


@pytest.fixture(scope="module")
def doors(app: FastAPI) -> dict[tuple[str, str], Door | None]:
    found: dict[tuple[str, str], Door | None] = {}
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            for method in context.methods:
                found[(method, context.path)] = door_of(context.dependant)
    return found


def test_every_operation_of_the_api_is_looked_at(app, doors):
    operations = sum(len(methods) for methods in app.openapi()["paths"].values())

    assert len(doors) == operations > len(PUBLIC)


def test_every_route_has_a_door(doors):
    assert [route for route, door in doors.items() if door is None] == []


def test_public_routes_are_those_of_this_list_each_with_its_reason(doors):
    public = {route: door.public_because for route, door in doors.items() if door and door.permission is None}

    assert set(public) == PUBLIC
    assert all(public.values())


def test_every_route_that_changes_something_names_its_event_and_no_other_does(doors):
    for (method, path), door in doors.items():
        assert door is not None
        assert (door.event is not None) == (method != "GET"), (method, path)


def test_every_permission_is_asked_for_somewhere(doors):
    asked = {door.permission for door in doors.values() if door and door.permission}

    assert asked | ASKED_FOR_INSIDE | NOT_USED_YET == set(Permission)


def test_catalogue_lists_events_that_exist_for_every_outcome(doors):
    for door in doors.values():
        if door and door.event:
            for outcome in Outcome:
                assert set(door.event.leaves(outcome)) <= set(events()), (door.event.name, outcome)


def test_openapi_says_no_more_than_json_can(app):
    json.dumps(app.openapi(), allow_nan=False)
