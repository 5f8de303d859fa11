"""Nobody undoes a change that they did not see: If-Match on the policy and on providers."""

import asyncio
from typing import Any

import pytest

from tests.people import Person

POLICY = "/api/v4/admin/models/policy"
PROVIDERS = "/api/v4/admin/models/providers"
OURS: dict[str, Any] = {"name": "ours", "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-test"}


async def put(somebody: Person, policy: dict[str, Any], if_match: str | None) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    return await somebody.client.put(POLICY, json=policy, headers=headers)


async def test_a_policy_is_replaced_only_as_it_was_seen(alice: Person):
    seen = (await alice.get(POLICY)).headers["etag"]

    first = await put(alice, {"allowed_models": ["gpt-4o"]}, seen)
    stale = await put(alice, {"allowed_models": ["gpt-4o-mini"]}, seen)
    now = await alice.get(POLICY)

    assert first.status_code == 200
    assert (stale.status_code, stale.json()["code"]) == (412, "changed_meanwhile")
    assert now.json()["data"]["allowed_models"] == ["gpt-4o"]
    assert now.headers["etag"] == first.headers["etag"] != seen


async def test_of_two_at_once_one_is_told(stranger: Person):
    seen = (await stranger.get(POLICY)).headers["etag"]

    answers = await asyncio.gather(*(put(stranger, {"allowed_models": [f"gpt-{n}"]}, seen) for n in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


async def test_a_policy_is_not_replaced_unseen_unless_one_says_so(alice: Person):
    unsaid = await put(alice, {}, None)
    whatever = await put(alice, {}, "*")

    assert (unsaid.status_code, unsaid.json()["code"]) == (428, "if_match_missing")
    assert whatever.status_code == 200


@pytest.mark.parametrize("if_match", ['"elsewhere"', "elsewhere", '""'])
async def test_a_provider_is_changed_only_as_it_was_seen(alice: Person, if_match: str):
    await alice.post(PROVIDERS, OURS)
    path = f"{PROVIDERS}/ours"
    seen = (await alice.get(path)).headers["etag"]

    stale = await alice.client.patch(path, json={"priority": 7}, headers={"If-Match": if_match})
    fresh = await alice.client.patch(path, json={"priority": 8}, headers={"If-Match": f'"other", {seen}'})
    without = await alice.client.patch(path, json={"priority": 9})
    await alice.delete(path)

    assert (stale.status_code, stale.json()["code"]) == (412, "changed_meanwhile")
    assert (fresh.status_code, fresh.json()["data"]["priority"]) == (200, 8)
    assert without.status_code == 200
