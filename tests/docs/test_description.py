"""The description of the API is whole: a client generated from it needs nothing else."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import TypeAdapter

from promptcraft.app.api import make_app
from promptcraft.app.examples import NoExample, example_of
from promptcraft.app.process import open_process
from promptcraft.kernel.api import door_of
from promptcraft.settings import load_settings
from tools.generate_openapi import DESCRIPTION, NOWHERE

DOCUMENT = json.loads(DESCRIPTION.read_text())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


@pytest.fixture
def app(tmp_path) -> FastAPI:
    return make_app(open_process("api", load_settings({**NOWHERE, "PROMPTCRAFT_DATA_DIR": str(tmp_path)})))


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        found: Any = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of the request and each answer: which, of what media type, how it is described."""
    parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for part, described in parts.items():
        for media_type, body in resolved(described).get("content", {}).items():
            yield part, media_type, body


def test_every_operation_has_a_name_of_its_own_that_reads_well():
    names = Counter(operation["operationId"] for operation in OPERATIONS.values())

    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not name.isidentifier() or "api_v4" in name] == []


@pytest.mark.parametrize("named", OPERATIONS)
def test_an_operation_is_described_whole(named):
    operation = OPERATIONS[named]

    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    for status, answer in operation["responses"].items():
        assert resolved(answer)["description"], status
        for header in resolved(answer).get("headers", {}).values():
            assert resolved(header)["schema"]
    for part, media_type, body in bodies(operation):
        if media_type.endswith("json"):
            assert "example" in body, part


@pytest.mark.parametrize("named", OPERATIONS)
def test_examples_are_what_their_schemas_say(named):
    for part, _, body in bodies(OPERATIONS[named]):
        if "example" in body:
            schema = {**body["schema"], "components": DOCUMENT["components"]}
            errors = Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(body["example"])
            assert [f"{part}: {error.message}" for error in errors] == []


def test_examples_of_bodies_are_taken_by_their_routes(app):
    refused = {}
    for route in iter_route_contexts(app.routes):
        for field in route.dependant.body_params if hasattr(route, "dependant") else ():
            method = min(route.methods)
            body = OPERATIONS[f"{method} {route.path}"]["requestBody"]["content"]["application/json"]
            try:
                TypeAdapter(field.field_info.annotation).validate_python(body["example"])
            except ValueError as refusal:
                refused[f"{method} {route.path}"] = str(refusal)

    assert refused == {}


def test_what_can_be_refused_at_the_door_says_so(app):
    doors = {
        f"{method} {route.path}": door_of(route.dependant)
        for route in iter_route_contexts(app.routes)
        for method in getattr(route, "methods", None) or ()
        if hasattr(route, "dependant")
    }
    guarded = {named for named, door in doors.items() if door is not None and door.permission is not None}

    assert {named for named, one in OPERATIONS.items() if {"401", "403"} <= set(one["responses"])} == guarded
    assert {named for named, one in OPERATIONS.items() if "security" in one} == guarded


def test_a_schema_that_no_example_fits_is_not_passed_over():
    with pytest.raises(NoExample, match="plate"):
        example_of(
            {"type": "object", "properties": {"plate": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}}}, {}
        )
