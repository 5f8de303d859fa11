"""What `agent create` sends: the file's request with the options over it."""

import json
from pathlib import Path

import pytest

from pc_hybrid.work.creation import Wanted, request_body

NOTHING = {
    "name": None, "display_name": None, "domain": None, "description": None, "keywords": (), "capabilities": (),
    "knowledge": (), "environment": None, "memory": None, "cpu": None, "update_frequency": None,
    "questions": None, "spec_file": None,
    "deploy": True,
}  # fmt: skip
FILE = {
    "agent_spec": {
        "name": "tax_advisor",
        "display_name": "Tax",
        "domain": "finance",
        "description": "Knows taxes.",
        "keywords": ["vat"],
        "knowledge_sources": [{"type": "markdown", "source": "upload:sha256:aa"}],
    },
    "deployment_config": {"environment": "staging", "resource_limits": {"memory": "1G", "cpu": "1"}},
    "integration_config": {"optional_tools": ["search"]},
}


def body(request, uploads=(), **typed):
    return request_body(request, Wanted(**{**NOTHING, **typed}), uploads)


def test_options_alone_make_a_request():
    made = body(
        {"agent_spec": {}},
        uploads=[("markdown", "upload:sha256:aa"), ("json", "upload:sha256:bb")],
        name="tax_advisor",
        domain="finance",
        description="Knows taxes.",
        keywords=("vat, invoice", "invoice,,", "due date"),
        capabilities=("compute the VAT, exactly",),
        memory="512M",
        update_frequency="weekly",
        questions=None,
        deploy=False,
    )

    assert made == {
        "agent_spec": {
            "name": "tax_advisor",
            "display_name": "Tax Advisor",
            "domain": "finance",
            "description": "Knows taxes.",
            "keywords": ["vat", "invoice", "due date"],
            "capabilities": ["compute the VAT, exactly"],
            "knowledge_sources": [
                {"type": "markdown", "source": "upload:sha256:aa", "update_frequency": "weekly"},
                {"type": "json", "source": "upload:sha256:bb", "update_frequency": "weekly"},
            ],
        },
        "deployment_config": {"resource_limits": {"memory": "512M"}, "auto_deploy": False},
    }


def test_a_file_alone_is_sent_as_it_is_but_for_the_deployment():
    expected = json.loads(json.dumps(FILE))
    expected["deployment_config"]["auto_deploy"] = True

    assert body(FILE) == expected


def test_options_go_over_the_file_and_knowledge_is_added_to_it():
    made = body(FILE, uploads=[("markdown", "upload:sha256:bb")], domain="law", environment="production", cpu="2")

    assert made["agent_spec"]["domain"] == "law"
    assert made["agent_spec"]["keywords"] == ["vat"]
    assert [source["source"] for source in made["agent_spec"]["knowledge_sources"]] == [
        "upload:sha256:aa",
        "upload:sha256:bb",
    ]
    assert made["deployment_config"] == {
        "environment": "production",
        "resource_limits": {"memory": "1G", "cpu": "2"},
        "auto_deploy": True,
    }
    assert made["integration_config"] == {"optional_tools": ["search"]}


def test_a_wrong_name_is_refused_before_anything_is_uploaded(run, signed_in, home):
    (home.path / "a.md").write_text("# A")
    options = ("--domain", "d", "--description", "d", "--keywords", "k", "--knowledge", "a.md")

    ended = run("agent", "create", "Tax Advisor!", *options)

    assert ended.exit_code == 2
    assert ended.talk == (
        'Error: agent name "Tax Advisor!" is not usable\n'
        "  /agent_spec/name  must match ^[a-z][a-z0-9_]{2,40}$ and not end in _\n"
        "Try:  pc-hybrid agent create tax_advisor\n"
        "(exit 2)\n"
    )
    assert signed_in.asked == []


@pytest.mark.parametrize(
    ("typed", "option"),
    [
        ([], "NAME"),
        (["tax_advisor"], "--domain"),
        (["tax_advisor", "--domain", "d", "--description", "d", "--keywords", "k"], "--knowledge"),
    ],
)
def test_without_a_terminal_the_first_missing_option_is_named(run, signed_in, typed, option):
    ended = run("agent", "create", *typed)

    assert ended.exit_code == 2
    assert ended.talk.startswith(f"Error: {option} is missing")
    assert signed_in.asked == []


def test_at_a_terminal_no_interactive_asks_nothing_either(at_terminal):
    ended = at_terminal("agent", "create", "--no-interactive")

    assert ended.exit_code == 2
    assert "NAME is missing" in ended.talk


@pytest.mark.parametrize("content", ["", "[1]", '{"agent_spec": 7}', "{'name': 'x'}"])
def test_a_file_that_holds_no_request_is_exit_2(run, signed_in, home, content):
    Path(home.path / "spec.json").write_text(content)

    ended = run("agent", "create", "-f", "spec.json")

    assert (ended.exit_code, signed_in.asked) == (2, [])
    assert "spec.json" in ended.talk
