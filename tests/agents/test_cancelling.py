"""A creation that is cancelled leaves nothing but the record of it, whatever happens meanwhile."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from promptcraft.kernel.audit.catalogue.agents import (
    CREATION_CANCELLED,
    CREATION_REQUESTED,
    CREATION_UNDONE,
    KNOWLEDGE_UPLOADED,
)
from promptcraft.kernel.audit.catalogue.kernel import REQUEST_INVALID
from promptcraft.kernel.db import unit_of_work
from tests.agents.conftest import left_behind, work
from tests.agents.test_creation import AGENTS, BUILD, DEPLOY
from tests.agents.test_interrupted_steps import Killed, clear, requested
from tests.agents.test_interrupted_steps import killed as killed
from tests.agents.test_interrupted_steps import workers as workers
from tests.conftest import Arrives, Platform
from tests.people import Person

ASKED = [KNOWLEDGE_UPLOADED.id, CREATION_REQUESTED.id]


async def progress(person: Person, creation: str) -> dict[str, Any]:
    return (await person.get(f"{AGENTS}/creation/{creation}/status")).json()["data"]


async def in_step(person: Person, creation: str, name: str) -> None:
    """Waits until the creation is in this step."""
    async with asyncio.timeout(120):
        while True:
            now = await progress(person, creation)
            if now["phase"] == name:
                return
            assert now["status"] in ("pending", "running"), now
            await asyncio.sleep(0.01)


async def nothing_left(platform: Platform, person: Person) -> None:
    async with asyncio.timeout(60):
        while await left_behind(platform, person):
            await work(platform)
            await asyncio.sleep(0.1)


async def test_a_creation_that_nobody_began_is_cancelled_and_its_name_free_again(person: Arrives, platform: Platform):
    alice = await person("admin")
    creation = await requested(alice, "never_begun", deploy=False)

    cancelled = await alice.post(f"{AGENTS}/creation/{creation}/cancel")
    again = await alice.post(f"{AGENTS}/creation/{creation}/cancel")
    await work(platform)
    at_last = await alice.post(f"{AGENTS}/creation/{creation}/cancel")

    assert (cancelled.status_code, again.status_code, at_last.status_code) == (202, 202, 202)
    assert cancelled.headers["Location"] == f"{AGENTS}/creation/{creation}/status"
    assert cancelled.json()["data"]["status"] == "running"
    end = await progress(alice, creation)
    assert (end["status"], end["error"]) == ("cancelled", f"{alice.name} cancelled it.")
    assert at_last.json()["data"] == end
    assert await left_behind(platform, alice) == []
    assert await alice.events() == [*ASKED, CREATION_CANCELLED.id, CREATION_UNDONE.id]
    assert await requested(alice, "never_begun", deploy=False) != creation
    await work(platform)
    await clear(platform, alice)


@pytest.mark.parametrize("step", ["ingest", "verify", "healthy"])
async def test_a_creation_is_cancelled_in_the_midst_and_nothing_is_left(
    alice: Person, platform: Platform, host: None, step: str
):
    creation = await requested(alice, "half_made", deploy=True)
    working = asyncio.create_task(work(platform))
    await in_step(alice, creation, step)

    cancelled = await alice.post(f"{AGENTS}/creation/{creation}/cancel")

    assert cancelled.status_code == 202
    await working
    await work(platform)
    end = await progress(alice, creation)
    assert end["status"] == "cancelled", end
    statuses = [one["status"] for one in end["steps"]]
    assert set(statuses) <= {"undone", "cancelled", "pending"}
    await nothing_left(platform, alice)


async def test_cancel_and_end_at_the_same_moment_leave_an_agent_or_nothing(person: Arrives, platform: Platform):
    alice = await person("admin")
    creation = await requested(alice, "contested", deploy=False)
    working = asyncio.create_task(work(platform))
    await in_step(alice, creation, "repository")

    cancelled = await alice.post(f"{AGENTS}/creation/{creation}/cancel")

    await working
    await work(platform)
    end = (await progress(alice, creation))["status"]
    assert (cancelled.status_code, end) in [(202, "cancelled"), (409, "completed")]
    listed = [one["name"] for one in (await alice.get(AGENTS)).json()["data"]]
    assert listed == (["contested"] if end == "completed" else [])
    left = await alice.events()
    if end == "cancelled":
        assert left[-1] == CREATION_UNDONE.id
        assert left.count(CREATION_CANCELLED.id) == 1
        assert await left_behind(platform, alice) == []
    else:
        assert REQUEST_INVALID.id in left
    await clear(platform, alice)


async def test_workers_killed_while_they_undo_a_cancelled_creation_are_followed_by_one_that_does(
    alice: Person, platform: Platform, host: None, killed: Killed
):
    creation = await requested(alice, "twice_killed", deploy=True)
    await killed(creation, "register", "after")
    assert (await alice.post(f"{AGENTS}/creation/{creation}/cancel")).status_code == 202

    for step in ("register", "start", "repository", "validate"):
        await killed(creation, step, "undone")
    await work(platform)

    end = await progress(alice, creation)
    assert end["status"] == "cancelled", end
    assert [one["name"] for one in end["steps"]] == [*BUILD, *DEPLOY]
    await nothing_left(platform, alice)


async def test_what_has_ended_is_not_cancelled_nor_what_belongs_to_others(
    alice: Person, person: Arrives, stranger: Person, platform: Platform
):
    maker, colleague, viewer = await person("developer"), await person("developer"), await person("viewer")
    creation = await requested(maker, "somebodys", deploy=False)
    path = f"{AGENTS}/creation/{creation}/cancel"

    refused = [(await who.post(path)).status_code for who in (stranger, colleague, viewer)]
    await work(platform)
    over = await maker.post(path)

    assert refused == [404, 403, 403]
    assert (over.status_code, over.json()["code"]) == (409, "creation_over")
    assert (await progress(maker, creation))["status"] == "completed"
    async with unit_of_work(platform.db, alice.actor) as session:
        state = await session.scalar(text("select state from kernel.job where id = :id"), {"id": creation})
    assert state == "completed"
    await clear(platform, alice)
