"""A question with an Idempotency-Key is asked once, unless it failed."""

import asyncio
from typing import Any

import httpx

from tests.orchestrator.conftest import Agents, breaks, knows, never_ends
from tests.people import Person

EXECUTE = "/api/v4/execute"


async def send(somebody: Person, path: str, body: Any, key: str) -> httpx.Response:
    return await somebody.post(path, body, headers={"Idempotency-Key": key})


async def test_a_question_is_asked_once(alice: Person, agents: Agents):
    agent = await agents.start("once_knows", knows)
    body = {"query": "When?", "agent": "once_knows"}

    first = await send(alice, EXECUTE, body, "q-1")
    second = await send(alice, EXECUTE, body, "q-1")

    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(agent.asked) == 1


async def test_a_question_under_way_is_not_asked_beside_itself(alice: Person, agents: Agents):
    agent = await agents.start("once_hangs", never_ends)
    body = {"query": "When?", "agent": "once_hangs", "time_limit_seconds": 1}
    first = asyncio.create_task(send(alice, EXECUTE, body, "q-2"))
    for _ in range(500):
        if agent.asked:
            break
        await asyncio.sleep(0.01)

    second = await send(alice, EXECUTE, body, "q-2")

    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_use")
    assert second.headers["retry-after"] == "1"
    assert (await first).status_code == 504


async def test_a_question_that_failed_is_asked_again(alice: Person, agents: Agents):
    agent = await agents.start("once_breaks", breaks)
    body = {"query": "When?", "agent": "once_breaks"}

    first = await send(alice, EXECUTE, body, "q-3")
    second = await send(alice, EXECUTE, body, "q-3")

    assert first.status_code == second.status_code == 502
    assert len(agent.asked) == 2
    assert "idempotent-replayed" not in second.headers
