"""Whole examples for the description of the API, made from its schemas: what fields say of themselves comes first."""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

# What fields of these names hold in examples, wherever their schema lets them.
_BY_NAME: dict[str, Any] = {
    "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
    "agent": "tax_advisor",
    "agent_name": "tax_advisor",
    "administrator": "ada",
    "answer": "The VAT return is due on the tenth of the next month.",
    "code": "123456",
    "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "description": "Answers questions about taxes",
    "display_name": "Ada Lovelace",
    "domain": "finance",
    "file": "vat.md",
    "invitation": "the credential of an invitation",
    "key": "pck_the_key_shown_once",
    "keywords": ["vat", "return", "due"],
    "lines": "14-19",
    "model": "gpt-4o-mini",
    "name": "tax_advisor",
    "password": "as long as it has to be",
    "query": "When is the VAT return due?",
    "question": "When is the VAT return due?",
    "session": "the session credential of the last answer",
    "slug": "acme",
    "status": "success",
    "text": "The VAT return is due on the tenth of the next month.",
    "timestamp": "2026-01-05T09:00:00Z",
    "token": "the credential to revoke",
    "username": "ada",
    "version": "1.0.0",
}
_BY_FORMAT = {
    "uuid": "0198c0de-0000-7000-8000-000000000001",
    "date-time": "2026-01-05T09:00:00Z",
    "date": "2026-01-05",
    "password": "as long as it has to be",
    "uri": "https://example.com/",
}


class NoExample(Exception):
    """A schema that none of the known texts fits: give its field `examples`."""


def example_of(schema: Schema, schemas: Mapping[str, Schema], name: str = "") -> Any:
    """A value of this schema; `name` is the field's that it stands in. Raises NoExample."""
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if "anyOf" in schema:
        return example_of(next(one for one in schema["anyOf"] if one.get("type") != "null"), schemas, name)
    match schema.get("type"):
        case "object":
            return _object(schema, schemas)
        case "array":
            return _array(schema, schemas, name)
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return schema.get("default", True)
        case _:
            return {}


def _object(schema: Schema, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    return {name: example_of(field, schemas, name) for name, field in schema.get("properties", {}).items()}


def _array(schema: Schema, schemas: Mapping[str, Schema], name: str) -> list[Any]:
    if name in _BY_NAME and isinstance(_BY_NAME[name], list):
        return _BY_NAME[name]
    if "prefixItems" in schema:
        return [example_of(one, schemas, name) for one in schema["prefixItems"]]
    return [example_of(schema.get("items", {}), schemas, name)]


def _text(schema: Schema, name: str) -> str:
    known = [_BY_FORMAT.get(schema.get("format", "")), schema.get("default"), _BY_NAME.get(name), "example"]
    if name in _BY_NAME and schema.get("format") in (None, "password"):
        known.insert(0, _BY_NAME[name])
    found = next((one for one in known if isinstance(one, str) and _fits(one, schema)), None)
    if found is None:
        raise NoExample(f"`{name}`: {dict(schema)}")
    return found


def _fits(text: str, schema: Schema) -> bool:
    long_enough = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))
    return long_enough and re.search(schema.get("pattern", ""), text) is not None


def _number(schema: Schema) -> float:
    default = schema.get("default")
    if default is not None:
        return default
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    most = schema.get("maximum", schema.get("exclusiveMaximum", least + 3))
    value = min(max(1, least), most)
    return int(value) if schema["type"] == "integer" else value
