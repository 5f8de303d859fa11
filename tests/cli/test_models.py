"""model ... on the platform itself, before a provider of the tests' own."""

import json

import pytest

from tests.gateway.conftest import provider as provider
from tests.gateway.provider import refuses


@pytest.fixture(scope="module")
def settings_given():
    return {"PROMPTCRAFT_MODEL_PRIVATE_NETWORKS": "127.0.0.0/8"}


async def test_a_provider_is_added_tested_listed_and_removed(cli, provider):
    url = f"{provider.address}/ours"
    provider.will()

    nothing = await cli("model", "list")
    added = await cli(
        "model", "add-provider", "ours", "--base-url", url, "--model", "fast=gpt-4o-mini", "--model", "gpt-4o",
        "--key-stdin", stdin="our-key\n",
    )  # fmt: skip
    tested = await cli("model", "test", "ours")
    listed = await cli("model", "list")
    providers = await cli("model", "providers")
    rotated = await cli("model", "rotate-key", "ours", "--key-stdin", stdin="newer-key\n")
    again = await cli("model", "test", "ours", "--model", "gpt-4o")
    removed = await cli("model", "remove-provider", "ours")

    assert "pc-hybrid model add-provider" in nothing.talk
    assert (added.exit_code, added.data) == (0, "Added the provider ours\n")
    assert tested.data.startswith("ours answered as fast in ")
    assert tested.data.endswith(": Hello\n")
    assert listed.data.splitlines()[1:] == ["fast    ours", "gpt-4o  ours"]
    assert url in providers.data
    assert "our-key" not in providers.data + added.data + added.talk
    assert (rotated.exit_code, again.exit_code, removed.exit_code) == (0, 0, 0)
    assert [asked.headers["authorization"] for asked in provider.asked] == ["Bearer our-key", "Bearer newer-key"]


async def test_a_provider_that_fails_is_told_with_the_next_step(cli, provider):
    provider.will(refuses(403))
    await cli("model", "add-provider", "ours", "--base-url", f"{provider.address}/ours", "--key-stdin", stdin="k\n")

    ended = await cli("model", "test", "ours", "--model", "gpt-4o")
    await cli("model", "remove-provider", "ours")

    assert ended.exit_code != 0
    assert "ours answered HTTP 403." in ended.talk


async def test_the_policy_is_shown_and_replaced(cli, home):
    (home.path / "policy.json").write_text(
        '{"allowed_models": ["gpt-4o"], "prices": {"gpt-4o": {"input": 1, "output": 2}}}'
    )

    replaced = await cli("model", "policy", "--set", "policy.json")
    shown = await cli("model", "policy")
    refused = await cli("model", "policy", "--set", "-", stdin='{"concurrent_calls": 0}')
    await cli("model", "policy", "--set", "-", stdin="{}")

    assert replaced.data == shown.data
    assert json.loads(shown.data)["prices"]["gpt-4o"] == {"input": 1.0, "output": 2.0, "cached": None}
    assert (refused.exit_code, "/concurrent_calls" in refused.talk) == (2, True)


async def test_without_a_key_the_option_is_named(cli):
    ended = await cli("model", "add-provider", "ours", "--base-url", "https://models.example.com/v1")

    assert ended.exit_code == 2
    assert "--key-stdin" in ended.talk
