import asyncio

import pytest
from sqlalchemy import text

from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.audit.catalogue.gateway import (
    MODEL_CALL_FAILED,
    MODEL_CALL_TIMED_OUT,
    MODEL_CALLED,
    POLICY_CHANGED,
    PROVIDER_ADDED,
    PROVIDER_CHANGED,
    PROVIDER_KEY_ROTATED,
    PROVIDER_REMOVED,
)
from promptcraft.kernel.audit.catalogue.kernel import ACCESS_DENIED, REQUEST_INVALID
from promptcraft.kernel.db import system_unit_of_work, unit_of_work
from tests.gateway.conftest import CHAT, HELLO, calls, until
from tests.gateway.provider import answers, hangs, refuses

PROVIDERS = "/api/v4/admin/models/providers"
POLICY = "/api/v4/admin/models/policy"
ANY_STATE = {"If-Match": "*"}


@pytest.fixture(autouse=True)
async def as_it_was(platform):
    yield
    async with unit_of_work(platform.db, _somebody(platform)) as session:
        await session.execute(text("delete from gateway.provider"))
        await session.execute(text("update gateway.policy set policy = '{}'"))
    platform.parts.gateway.catalogues.forget(platform.acme)


def _somebody(platform):
    return platform_actor("test", platform.acme)


@pytest.fixture
def ours(provider):
    return {
        "name": "ours",
        "base_url": f"{provider.address}/ours",
        "api_key": "our-key",
        "models": {"fast": "gpt-4o-mini", "good": "gpt-4o"},
    }


async def test_own_provider_is_asked_before_the_platforms_by_its_own_name_of_the_model(alice, provider, ours):
    added = await alice.post(PROVIDERS, ours)
    provider.will()

    answer = await alice.post(CHAT, {**HELLO, "model": "fast"})

    assert (added.status_code, answer.status_code) == (201, 200)
    assert (provider.asked[0].by, provider.asked[0].document["model"]) == ("ours", "gpt-4o-mini")
    assert provider.asked[0].headers["authorization"] == "Bearer our-key"
    assert await alice.events() == [PROVIDER_ADDED.id, MODEL_CALLED.id]


async def test_key_is_shown_nowhere_and_not_in_the_database(alice, platform, ours):
    shown = [await alice.post(PROVIDERS, {**ours, "api_key": "sk-very-secret"}), await alice.get(PROVIDERS)]
    shown.append(await alice.get(f"{PROVIDERS}/ours"))

    assert [answer.status_code for answer in shown] == [201, 200, 200]
    assert not [answer for answer in shown if "sk-very-secret" in answer.text or "api_key" in answer.text]
    async with unit_of_work(platform.db, alice.actor) as session:
        [row] = await session.scalars(text("select p::text from gateway.provider p"))
    async with system_unit_of_work(platform.db) as session:
        log = "".join(await session.scalars(text("select canonical from audit.event")))
    assert "sk-very-secret" not in row + log


async def test_rotated_key_is_the_next_calls_key(alice, provider, ours):
    await alice.post(PROVIDERS, ours)
    provider.will()
    await alice.post(CHAT, {**HELLO, "model": "good"})

    rotated = await alice.post(f"{PROVIDERS}/ours/key", {"api_key": "newer-key"})
    await alice.post(CHAT, {**HELLO, "model": "good"})

    assert rotated.status_code == 200
    assert [asked.headers["authorization"] for asked in provider.asked] == ["Bearer our-key", "Bearer newer-key"]
    assert await alice.events() == [PROVIDER_ADDED.id, MODEL_CALLED.id, PROVIDER_KEY_ROTATED.id, MODEL_CALLED.id]


async def test_azure_by_deployment_has_its_own_path(alice, provider, ours):
    await alice.post(PROVIDERS, {**ours, "kind": "azure", "api_version": "2024-10-21"})
    provider.will()

    await alice.post(CHAT, {**HELLO, "model": "good"})

    asked = provider.asked[0]
    assert (asked.path, asked.query) == ("/ours/openai/deployments/gpt-4o/chat/completions", "api-version=2024-10-21")
    assert asked.headers["api-key"] == "our-key"


async def test_changed_and_removed_providers_are_so_at_the_next_call(alice, provider, ours):
    await alice.post(PROVIDERS, ours)
    provider.will()

    changed = await alice.client.patch(f"{PROVIDERS}/ours", json={"models": {"quick": "gpt-4o"}, "priority": 5})
    await alice.post(CHAT, {**HELLO, "model": "quick"})
    removed = await alice.delete(f"{PROVIDERS}/ours")
    await alice.post(CHAT, {**HELLO, "model": "quick"})

    assert (changed.status_code, changed.json()["data"]["priority"], removed.status_code) == (200, 5, 204)
    assert [asked.by for asked in provider.asked] == ["ours", "openai"]
    assert await alice.events() == [
        PROVIDER_ADDED.id, PROVIDER_CHANGED.id, MODEL_CALLED.id, PROVIDER_REMOVED.id, MODEL_CALLED.id,
    ]  # fmt: skip


async def test_tested_provider_alone_is_asked(alice, provider, ours):
    await alice.post(PROVIDERS, ours)
    provider.will(answers, refuses(401))

    tested = await alice.post(f"{PROVIDERS}/ours/test", {})
    failed = await alice.post(f"{PROVIDERS}/ours/test", {"model": "good"})

    assert (tested.json()["data"]["model"], tested.json()["data"]["answer"]) == ("fast", "Hello")
    assert (failed.status_code, failed.json()["detail"]) == (502, "ours answered HTTP 401.")
    assert [asked.by for asked in provider.asked] == ["ours", "ours"]
    assert await alice.events() == [PROVIDER_ADDED.id, MODEL_CALLED.id, MODEL_CALL_FAILED.id]


async def test_other_organisations_know_nothing_of_a_provider(alice, stranger, provider, ours):
    await alice.post(PROVIDERS, ours)
    provider.will()

    seen = await stranger.get(PROVIDERS)
    answers_got = [
        await stranger.get(f"{PROVIDERS}/ours"),
        await stranger.client.patch(f"{PROVIDERS}/ours", json={"priority": 1}),
        await stranger.delete(f"{PROVIDERS}/ours"),
        await stranger.post(f"{PROVIDERS}/ours/key", {"api_key": "k"}),
        await stranger.post(f"{PROVIDERS}/ours/test", {}),
    ]
    listed = (await stranger.get("/api/v4/models/v1/models")).json()["data"]

    assert [one["name"] for one in seen.json()["data"]] == ["azure", "openai"]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers_got} == {(404, "provider_not_found")}
    assert "fast" not in [model["id"] for model in listed]
    assert await stranger.events() == [REQUEST_INVALID.id] * 4


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "Ours"}, "/name"),
        ({"base_url": "ftp://x/y"}, "/base_url"),
        ({"base_url": "http://user:pw@x/y"}, "/base_url"),
        ({"base_url": "http://169.254.169.254/latest"}, "/base_url"),
        ({"base_url": "http://[::1]:5432"}, "/base_url"),
        ({"api_key": "two\nlines"}, "/api_key"),
        ({"api_version": "../.."}, "/api_version"),
        ({"kind": "other"}, "/kind"),
        ({"models": {"": "x"}}, "/models//[key]"),
    ],
)
async def test_unusable_provider_is_refused_by_what_is_wrong(alice, ours, change, pointer):
    answer = await alice.post(PROVIDERS, {**ours, **change})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await alice.events() == [REQUEST_INVALID.id]


async def test_name_is_taken_once(alice, ours):
    await alice.post(PROVIDERS, ours)

    answer = await alice.post(PROVIDERS, ours)

    assert (answer.status_code, answer.json()["code"]) == (409, "provider_name_taken")


async def test_developer_may_look_at_providers_and_change_none(person, ours):
    developer = await person("developer")

    assert (await developer.get(PROVIDERS)).status_code == 200
    assert (await developer.post(PROVIDERS, ours)).status_code == 403
    assert (await developer.client.put(POLICY, json={}, headers=ANY_STATE)).status_code == 403
    assert await developer.events() == [ACCESS_DENIED.id] * 2


async def test_model_that_is_not_allowed_is_not_asked_and_not_listed(alice, provider):
    provider.will()
    set_ = await alice.client.put(POLICY, json={"allowed_models": ["gpt-4o-mini"]}, headers=ANY_STATE)

    refused = await alice.post(CHAT, HELLO)
    listed = (await alice.get("/api/v4/models/v1/models")).json()["data"]

    assert set_.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (403, "model_not_allowed")
    assert [model["id"] for model in listed] == ["gpt-4o-mini"]
    assert provider.asked == []
    assert await alice.events() == [POLICY_CHANGED.id, ACCESS_DENIED.id]


async def test_model_that_nobody_has_is_not_found(alice, provider, ours):
    await alice.post(PROVIDERS, ours)
    await alice.client.put(POLICY, json={"platform_providers": False}, headers=ANY_STATE)

    answer = await alice.post(CHAT, HELLO)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


async def test_own_price_comes_before_the_list(alice, provider):
    provider.will()
    await alice.client.put(POLICY, json={"prices": {"gpt-4o": {"input": 1, "output": 20}}}, headers=ANY_STATE)

    await alice.post(CHAT, HELLO)

    assert float((await calls(alice))[0]["cost"]) == 0.003


async def test_call_that_takes_too_long_is_ended(alice, provider):
    provider.will(hangs, hangs)
    await alice.client.put(POLICY, json={"time_limit_seconds": 1}, headers=ANY_STATE)

    answer = await alice.post(CHAT, HELLO)

    assert (answer.status_code, answer.json()["code"]) == (504, "model_timed_out")
    await asyncio.wait_for(provider.hung_up.wait(), 5)
    assert await alice.events() == [POLICY_CHANGED.id, MODEL_CALL_TIMED_OUT.id]


async def test_provider_that_is_silent_is_followed_by_the_next(alice, provider):
    provider.will(hangs)
    await alice.client.put(POLICY, json={"silence_seconds": 1}, headers=ANY_STATE)

    answer = await alice.post(CHAT, HELLO)

    assert answer.status_code == 200
    assert [asked.by for asked in provider.asked] == ["openai", "other"]


async def test_more_output_than_allowed_is_refused_and_the_limit_is_set_where_none_is_named(alice, provider):
    provider.will()
    await alice.client.put(POLICY, json={"output_tokens_per_call": 50}, headers=ANY_STATE)

    refused = await alice.post(CHAT, {**HELLO, "max_tokens": 51})
    await alice.post(CHAT, HELLO)

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/max_tokens")
    assert provider.asked[0].document["max_completion_tokens"] == 50


async def test_calls_beyond_the_limit_wait_for_those_under_way(alice, provider):
    provider.will(hangs)
    await alice.client.put(POLICY, json={"concurrent_calls": 1, "time_limit_seconds": 5}, headers=ANY_STATE)
    first = asyncio.create_task(alice.post(CHAT, HELLO))

    async def asked():
        return len(provider.asked)

    assert await until(asked, 1) == 1
    second = await alice.post(CHAT, HELLO)
    first.cancel()

    assert (second.status_code, second.json()["code"]) == (429, "too_many_model_calls")
    assert "retry-after" in second.headers


async def test_tokens_of_a_minute_are_limited(person, provider):
    alice = await person("admin")
    provider.will()
    await alice.client.put(POLICY, json={"tokens_per_minute": 1}, headers=ANY_STATE)
    await alice.post(CHAT, HELLO)

    answer = await alice.post(CHAT, HELLO)

    assert (answer.status_code, answer.json()["code"]) == (429, "model_tokens_used_up")


async def test_policy_whose_agents_use_what_is_not_allowed_is_refused(alice):
    policy = {"allowed_models": ["gpt-4o"], "agent_models": {"*": "gpt-4o-mini"}}

    answer = await alice.client.put(POLICY, json=policy, headers=ANY_STATE)

    assert answer.status_code == 422
    assert "gpt-4o-mini" in answer.text


@pytest.mark.parametrize("said", [0, 1, "yes", "true"])
async def test_what_only_looks_like_true_or_false_is_refused(alice, said):
    answer = await alice.client.put(POLICY, json={"platform_providers": said}, headers=ANY_STATE)

    assert answer.status_code == 422
    assert "platform_providers" in answer.text
