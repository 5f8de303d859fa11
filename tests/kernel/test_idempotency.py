"""A request with an Idempotency-Key is done once, however often it is sent and whatever happens on the way."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlalchemy import text
from starlette.types import Message, Receive, Scope, Send

from promptcraft.app.parts import routers
from promptcraft.kernel import clock, repeats
from promptcraft.kernel.db import system_unit_of_work, unit_of_work
from promptcraft.kernel.idempotency import Once, claim, forget_keys
from promptcraft.kernel.ids import new_id
from tests.agents.conftest import SPEC, uploaded
from tests.conftest import Arrives, Platform
from tests.people import Person

CREATE = "/api/v4/admin/agents/create"
EXECUTE = "/api/v4/execute"
# POSTs that make something and take no key, each with the reason.
WITHOUT_KEY = {
    "/api/v4/admin/knowledge/uploads": "a stream; the same documents are stored once by their content",
    "/api/v4/api-keys": "a credential is told once",
    "/api/v4/api-keys/{key_id}/rotate": "likewise",
    "/api/v4/me/second-factor": "likewise",
    "/api/v4/admin/users": "the answer holds a one-time invitation",
    "/api/v4/admin/users/{user_id}/invitation": "likewise",
    "/api/v4/admin/organizations": "likewise",
    "/api/v4/admin/agents/creation/{creation_id}/cancel": "makes nothing; what is cancelled stays so",
    "/api/v4/admin/agents/{name}/repository": "a stream; what main has already is refused as such",
    "/api/v4/admin/organizations/{org_id}/offboard": "an organisation leaves once; the second request is told so",
}


@pytest.fixture
async def spec(alice: Person) -> dict[str, Any]:
    source = {"type": "markdown", "source": await uploaded(alice)}
    return {"agent_spec": {**SPEC, "name": f"agent_{new_id().hex[-8:]}", "knowledge_sources": [source]}}


async def send(somebody: Person, path: str, body: Any, key: str) -> httpx.Response:
    return await somebody.post(path, body, headers={"Idempotency-Key": key})


async def kept(platform: Platform, somebody: Person) -> list[Any]:
    async with system_unit_of_work(platform.db) as session:
        found = await session.execute(
            text("select * from kernel.idempotency_key where user_id = :user"), {"user": somebody.user_id}
        )
        return list(found)


async def test_the_second_request_is_answered_as_the_first_and_does_nothing(
    platform: Platform, alice: Person, spec: dict[str, Any]
):
    first = await send(alice, CREATE, spec, "k-1")
    events = await alice.events()
    second = await send(alice, CREATE, spec, '"k-1"')

    assert first.status_code == second.status_code == 202, first.text
    assert second.content == first.content
    assert second.headers["location"] == first.headers["location"]
    assert (first.headers.get("idempotent-replayed"), second.headers["idempotent-replayed"]) == (None, "true")
    assert await alice.events() == events
    assert "progress_endpoint" not in str(await kept(platform, alice))  # sealed


async def test_the_same_key_with_another_request_is_refused(alice: Person, spec: dict[str, Any]):
    await send(alice, CREATE, spec, "k-2")

    other_body = await send(alice, CREATE, {**spec, "deployment_config": {"auto_deploy": False}}, "k-2")
    other_route = await send(alice, EXECUTE, {"query": "What?"}, "k-2")

    for answer in (other_body, other_route):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_is_its_users_own(alice: Person, person: Arrives, stranger: Person, spec: dict[str, Any]):
    await send(alice, CREATE, spec, "k-3")
    colleague = await person("admin")

    taken = await send(colleague, CREATE, spec, "k-3")
    elsewhere = await send(stranger, CREATE, spec, "k-3")

    assert taken.json()["code"] == "agent_exists"
    assert "idempotent-replayed" not in elsewhere.headers


async def test_whoever_may_not_do_it_any_more_is_not_told_what_it_came_to(
    platform: Platform, alice: Person, person: Arrives, spec: dict[str, Any]
):
    somebody = await person("admin")
    assert (await send(somebody, CREATE, spec, "k-4")).status_code == 202
    await alice.client.put(f"/api/v4/admin/users/{somebody.user_id}/roles", json={"roles": ["viewer"]})

    for _ in range(100):  # the change is heard a moment later
        answer = await send(somebody, CREATE, spec, "k-4")
        if answer.status_code != 202:
            break
        await asyncio.sleep(0.05)

    assert answer.status_code == 403


async def test_what_failed_is_not_kept(alice: Person, spec: dict[str, Any]):
    sources = [{"type": "markdown", "source": "upload:sha256:" + "0" * 64}]
    wrong = {"agent_spec": {**spec["agent_spec"], "knowledge_sources": sources}}
    refused = await send(alice, CREATE, wrong, "k-5")

    answer = await send(alice, CREATE, spec, "k-5")

    assert (refused.status_code // 100, answer.status_code) == (4, 202)


async def test_many_at_once_make_one(alice: Person, platform: Platform, spec: dict[str, Any]):
    answers = await asyncio.gather(*(send(alice, CREATE, spec, "k-6") for _ in range(8)))

    done = {answer.json()["data"]["creation_id"] for answer in answers if answer.status_code == 202}
    others = {answer.json()["code"] for answer in answers if answer.status_code != 202}
    assert len(done) == 1
    assert others <= {"idempotency_key_in_use"}


async def test_an_answer_lost_on_the_way_is_given_to_the_retry(alice: Person, platform: Platform, spec: dict[str, Any]):
    async def answers_nobody(scope: Scope, receive: Receive, send: Send) -> None:
        async def lost(message: Message) -> None:
            raise ConnectionError("the connection broke")

        await platform.asgi(scope, receive, lost)
        raise ConnectionError("the connection broke")  # httpx wants an answer of whoever returns

    transport = httpx.ASGITransport(answers_nobody)
    headers = {**alice.client.headers, "Idempotency-Key": "k-7"}
    async with httpx.AsyncClient(transport=transport, base_url="http://promptcraft.test", headers=headers) as cut_off:
        with pytest.raises(ConnectionError):
            await cut_off.post(CREATE, json=spec)

    retry = await send(alice, CREATE, spec, "k-7")

    assert (retry.status_code, retry.headers["idempotent-replayed"]) == (202, "true")
    progress = await alice.get(retry.headers["location"])
    assert progress.status_code == 200


async def test_a_process_that_died_over_it_leaves_no_key_claimed(platform: Platform, alice: Person):
    once = Once(b"k" * 32, b"f" * 32)
    with pytest.raises(ZeroDivisionError):
        async with unit_of_work(platform.db, alice.actor) as session:
            assert await claim(session, alice.actor, once) is None
            raise ZeroDivisionError

    async with unit_of_work(platform.db, alice.actor) as session:
        assert await claim(session, alice.actor, once) is None


async def test_a_key_is_forgotten_after_a_day(platform: Platform, alice: Person, spec: dict[str, Any]):
    first = await send(alice, CREATE, spec, "k-8")
    later = clock.now() + timedelta(hours=24, seconds=1)

    with clock.use(lambda: later):
        await forget_keys(platform.db)

    assert await kept(platform, alice) == []
    again = await send(alice, CREATE, spec, "k-8")
    assert (first.status_code, again.json()["code"]) == (202, "agent_exists")


async def test_a_key_that_is_no_text_is_refused(alice: Person):
    answer = await send(alice, EXECUTE, {"query": "When?"}, "k" * 256)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/Idempotency-Key")


def test_every_post_that_makes_something_takes_a_key_or_says_why_not():
    takes: set[str] = set()
    makes: set[str] = {EXECUTE}
    for router in routers():
        for route in iter_route_contexts(router.routes):
            if "POST" in (route.methods or ()):
                needs = [dependency.call for dependency in _all(route.dependant)]
                if repeats.GivenOnce.__metadata__[0].dependency in needs:
                    takes.add(route.path)
                if route.status_code in (201, 202):
                    makes.add(route.path)

    assert makes == takes | set(WITHOUT_KEY)
    assert takes & set(WITHOUT_KEY) == set()


def _all(dependant: Any) -> list[Any]:
    return [dependant, *(deeper for one in dependant.dependencies for deeper in _all(one))]
