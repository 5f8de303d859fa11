"""Whether an agent can be made: every reason why not at once, each with its place; and nothing made then."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from promptcraft.agents.errors import SpecNotUsable
from promptcraft.agents.schemas import KnowledgeSource
from promptcraft.agents.service.sources import documents_at, gather
from tests.agents.conftest import SPEC, left_behind, packed, uploaded

PATH = "/api/v4/admin/agents/create"


async def asked(person, *, spec: dict[str, Any] | None = None, **parts: Any) -> tuple[int, dict[str, str]]:
    """The status, and what is wrong by JSON pointer."""
    source = {"type": "markdown", "source": await uploaded(person)}
    answer = await person.post(PATH, {"agent_spec": {**SPEC, "knowledge_sources": [source], **(spec or {})}, **parts})
    body = answer.json()
    return answer.status_code, {error["pointer"]: error["detail"] for error in body.get("errors", [])}


NO_IDENTIFIERS = [
    "Tax",
    "../../etc/x",
    "agent;rm -rf",
    "a",
    "ab",
    "tax_",
    "é_agent",
    "tax\nadvisor",
    "x" * 42,
    "1agent",
    "",
]


@pytest.mark.parametrize("name", NO_IDENTIFIERS)
async def test_names_that_are_no_identifiers_are_refused(alice, name):
    status, problems = await asked(alice, spec={"name": name})

    assert (status, list(problems)) == (422, ["/agent_spec/name"])


@pytest.mark.parametrize("name", ["class", "match", "json", "asyncio", "numpy", "mcp", "promptcraft_sdk", "tests"])
async def test_names_that_python_or_the_template_has_taken_are_refused(alice, name):
    status, problems = await asked(alice, spec={"name": name})

    assert (status, list(problems)) == (422, ["/agent_spec/name"])


def source(kind: str, where: str, **more: str) -> dict[str, Any]:
    return {"knowledge_sources": [{"type": kind, "source": where, **more}]}


@pytest.mark.parametrize(
    ("spec", "pointers"),
    [
        ({"capabilities": ["Compute VAT", "compute  vat!", "Find it"]}, ["capabilities/0", "capabilities/1"]),
        ({"capabilities": ["🎂", "Find it"]}, ["capabilities/0"]),
        ({"capabilities": ["Ask"]}, ["capabilities/0"]),
        ({"capabilities": [""]}, ["capabilities/0"]),
        ({"description": "x" * 10_001}, ["description"]),
        ({"keywords": "vat"}, ["keywords"]),
        ({"surprise": 1}, ["surprise"]),
        ({"domain": 5}, ["domain"]),
        ({"knowledge_sources": []}, ["knowledge_sources"]),
        (source("api", "https://example.org"), ["knowledge_sources/0/type"]),
        (source("database", "x"), ["knowledge_sources/0/type"]),
        (source("markdown", "/etc"), ["knowledge_sources/0/source"]),
        (source("markdown", "upload:sha256:" + "0" * 64), ["knowledge_sources/0/source"]),
        (source("markdown", "upload:sha256:../../../etc"), ["knowledge_sources/0/source"]),
        (source("markdown", "x", update_frequency="hourly"), ["knowledge_sources/0/update_frequency"]),
    ],
    ids=range(15),
)
async def test_values_that_cannot_be_used_are_named(alice, spec, pointers):
    status, problems = await asked(alice, spec=spec)

    assert (status, sorted(problems)) == (422, [f"/agent_spec/{pointer}" for pointer in pointers])


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"deployment_config": {"environment": "moon"}}, "/deployment_config/environment"),
        ({"deployment_config": {"resource_limits": {"memory": "lots"}}}, "/deployment_config/resource_limits/memory"),
        ({"deployment_config": {"resource_limits": {"memory": "900G"}}}, "/deployment_config/resource_limits/memory"),
        ({"deployment_config": {"resource_limits": {"cpu": "0"}}}, "/deployment_config/resource_limits/cpu"),
        ({"deployment_config": {"resource_limits": {"cpu": "-1"}}}, "/deployment_config/resource_limits/cpu"),
        ({"integration_config": {"required_tools": ["nobody_has_this"]}}, "/integration_config/required_tools/0"),
        ({"integration_config": {"custom_endpoints": ["https://a.example"]}}, "/integration_config/custom_endpoints"),
        ({"integration_config": {"tools": []}}, "/integration_config/tools"),
        ({"extra": {}}, "/extra"),
    ],
    ids=range(9),
)
async def test_configuration_that_cannot_be_met_is_named(alice, parts, pointer):
    status, problems = await asked(alice, **parts)

    assert (status, list(problems)) == (422, [pointer])


async def test_everything_wrong_is_said_at_once_and_nothing_is_made(alice, platform):
    before = await left_behind(platform, alice)

    status, problems = await asked(
        alice,
        spec={"name": "json", "capabilities": ["Do it", "do it"]},
        deployment_config={"resource_limits": {"cpu": "1000"}},
        integration_config={"custom_endpoints": ["x"]},
    )

    assert status == 422
    assert sorted(problems) == [
        "/agent_spec/capabilities/0",
        "/agent_spec/capabilities/1",
        "/agent_spec/name",
        "/deployment_config/resource_limits/cpu",
        "/integration_config/custom_endpoints",
    ]
    assert await left_behind(platform, alice) == before


@pytest.mark.parametrize(("memory", "cpu"), [("512M", "0.5"), ("256Mi", "500m"), ("268435456", "250m")])
async def test_limits_are_read_as_docker_and_kubernetes_write_them(alice, memory, cpu):
    limits = {"resource_limits": {"memory": memory, "cpu": cpu}}

    status, problems = await asked(alice, spec={"name": f"agent_{len(memory)}{len(cpu)}_x"}, deployment_config=limits)

    assert (status, problems) == (202, {})


async def test_another_organisations_upload_cannot_be_used(alice, stranger, tmp_path):
    (tmp_path / "secret.md").write_text("# Secret\n\nOnly the rival knows this.")
    theirs = {"type": "markdown", "source": await uploaded(stranger, packed(tmp_path))}

    status, problems = await asked(alice, spec={"name": "thief", "knowledge_sources": [theirs]})

    assert (status, list(problems)) == (422, ["/agent_spec/knowledge_sources/0/source"])


async def test_viewers_and_analysts_may_not_create_and_developers_may(person, nobody):
    body = {"agent_spec": SPEC}

    assert (await (await person("viewer")).post(PATH, body)).status_code == 403
    assert (await (await person("analyst")).post(PATH, body)).status_code == 403
    assert (await (await person("developer")).post(PATH, body)).status_code == 422
    assert (await nobody.post(PATH, json=body)).status_code == 401


@pytest.mark.parametrize(
    "spec",
    [
        {"domain": "fin\0ance"},
        {"description": "\0"},
        {"display_name": "a\0"},
        {"keywords": ["vat", "\0"]},
        {"capabilities": ["Find\0it"]},
        source("markdown", "upload:sha256:\0"),
        source("markdown", "/srv/\0"),
    ],
)
async def test_the_character_that_no_database_holds_is_refused_where_it_stands(alice, spec):
    status, problems = await asked(alice, spec=spec)

    assert status == 422
    assert list(problems.values()) == ["must not hold the character U+0000"]


async def test_a_tool_of_a_name_that_cannot_be_is_refused_and_an_agent_of_one_is_not_there(alice):
    status, problems = await asked(alice, integration_config={"required_tools": ["a\0b"]})
    assert (status, list(problems)) == (422, ["/integration_config/required_tools/0"])

    for path in ("", "/logs", "/repository"):
        assert (await alice.get(f"/api/v4/admin/agents/a%00b{path}")).status_code == 404
    assert (await alice.delete("/api/v4/admin/agents/a%00b")).status_code == 404
    assert (await alice.get("/api/v4/admin/agents", domain="\0")).status_code == 400


async def test_of_two_who_ask_for_one_name_at_once_one_gets_it(alice):
    body = {"agent_spec": {**SPEC, "knowledge_sources": [{"type": "markdown", "source": await uploaded(alice)}]}}

    answers = await asyncio.gather(*(alice.post(PATH, body) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "agent_exists"}


async def test_a_source_that_leads_elsewhere_once_it_was_admitted_is_not_read(alice, platform, tmp_path):
    root, secret = tmp_path / "root", tmp_path / "secret"
    for directory in (root / "docs", secret):
        directory.mkdir(parents=True)
        (directory / "a.md").write_text("# A")
    factory = replace(platform.parts.factory, knowledge_roots=(root,))
    admitted = KnowledgeSource(type="markdown", source=str(root / "docs"))
    assert documents_at(factory, alice.org_id, admitted) == ["a.md"]

    (root / "docs").rename(root / "other")
    (root / "docs").symlink_to(secret)

    with pytest.raises(SpecNotUsable, match="no longer"):
        gather(factory, alice.org_id, [admitted], tmp_path / "copy")
