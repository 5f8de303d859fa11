"""What an organisation's registry holds, and what each change of it leaves behind."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from promptcraft.audit import OrganisationSealer
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit import install_sealer
from promptcraft.kernel.audit.catalogue.registry import SERVER_REGISTERED, SERVER_STATUS_CHANGED, SERVER_UNREGISTERED
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.outbox import Consumer, relay
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.registry import (
    Evaluation,
    ServerNotFound,
    ServerRegistered,
    ServerRegistration,
    ServerStatus,
    ToolContract,
    exists,
    register_server,
    revision,
    servers,
    set_status,
    tool_contracts,
    unregister_server,
)

ASK = ToolContract(name="ask", description="Ask.", input_schema={"type": "object"})
VAT = ToolContract(name="compute_vat", input_schema={"type": "object"}, output_schema={"type": "object"})


@pytest.fixture(autouse=True)
async def ready(db: Database) -> AsyncIterator[None]:
    install_sealer(OrganisationSealer(b"k" * 32))
    await keep_partitions(db)
    yield


def person() -> Actor:
    return Actor(new_id(), new_id(), new_id(), frozenset(), "r", "alice")


def agent(**values: Any) -> ServerRegistration:
    described = {"name": "tax_advisor", "environment": "production", "version": "1", "endpoint": "/run/x.sock"}
    return ServerRegistration.model_validate(described | {"keywords": ("vat",), "tools": (ASK, VAT)} | values)


async def left_events(db: Database, actor: Actor) -> list[dict[str, Any]]:
    async with unit_of_work(db, actor) as session:
        texts = await session.scalars(text("select canonical from audit.event order by occurred_at, event_id"))
        return [orjson.loads(one) for one in texts]


async def test_a_registered_server_is_found_with_its_tools_in_their_order(db: Database):
    actor = person()
    async with unit_of_work(db, actor) as session:
        await register_server(session, actor, agent(tools=(VAT, ASK)))

    async with unit_of_work(db, actor) as session:
        (found,) = await servers(session, actor)
        assert (found.name, found.status, found.tools) == ("tax_advisor", ServerStatus.RUNNING, (VAT, ASK))
        assert await tool_contracts(session, actor, "tax_advisor", "production") == [VAT, ASK]
        assert await servers(session, actor, kind="mcp_server") == []


async def test_a_second_version_takes_the_firsts_place_in_its_environment_alone(db: Database):
    actor = person()
    async with unit_of_work(db, actor) as session:
        await register_server(session, actor, agent(environment="staging"))
        await register_server(session, actor, agent())
        await register_server(session, actor, agent(version="2", tools=(ASK,)))

        found = await servers(session, actor, name="tax_advisor")

    assert [(one.environment, one.version, len(one.tools)) for one in found] == [
        ("production", "2", 1),
        ("staging", "1", 2),
    ]


async def test_names_of_servers_and_of_tools_exist_until_the_server_is_gone(db: Database):
    actor = person()
    async with unit_of_work(db, actor) as session:
        await register_server(session, actor, agent())
        assert await exists(session, actor, ["tax_advisor", "ask", "teleport"]) == {"tax_advisor", "ask"}

        assert await unregister_server(session, actor, "tax_advisor") == 1

        assert await exists(session, actor, ["tax_advisor", "ask"]) == frozenset()
        assert await unregister_server(session, actor, "tax_advisor") == 0


async def test_another_organisation_sees_nothing_of_it(db: Database):
    alice, stranger = person(), person()
    async with unit_of_work(db, alice) as session:
        await register_server(session, alice, agent())

    async with unit_of_work(db, stranger) as session:
        assert await servers(session, stranger) == []
        assert await exists(session, stranger, ["tax_advisor", "ask"]) == frozenset()
        assert await unregister_server(session, stranger, "tax_advisor") == 0
        with pytest.raises(ServerNotFound):
            await set_status(session, stranger, "tax_advisor", "production", ServerStatus.STOPPED)
        # Not even with the other's id in hand, as the database itself keeps the rows apart.
        assert await servers(session, alice) == []


async def test_every_change_raises_the_revision_and_no_change_does_not(db: Database):
    actor = person()
    async with unit_of_work(db, actor) as session:
        seen = [await revision(session, actor)]
        await register_server(session, actor, agent())
        seen.append(await revision(session, actor))
        await set_status(session, actor, "tax_advisor", "production", ServerStatus.STOPPED)
        seen.append(await revision(session, actor))
        await set_status(session, actor, "tax_advisor", "production", ServerStatus.STOPPED)
        seen.append(await revision(session, actor))
        await unregister_server(session, actor, "tax_advisor", "production")
        seen.append(await revision(session, actor))

    assert seen == [0, 1, 2, 2, 3]


async def test_each_change_leaves_its_event(db: Database):
    actor = person()
    async with unit_of_work(db, actor) as session:
        await register_server(session, actor, agent())
    async with unit_of_work(db, actor) as session:
        await set_status(session, actor, "tax_advisor", "production", ServerStatus.STOPPED)
    async with unit_of_work(db, actor) as session:
        await unregister_server(session, actor, "tax_advisor")

    events = await left_events(db, actor)

    assert [event["catalogue_id"] for event in events] == [
        SERVER_REGISTERED.id,
        SERVER_STATUS_CHANGED.id,
        SERVER_UNREGISTERED.id,
    ]
    assert events[0]["details"] == {"environment": "production", "version": "1", "kind": "agent", "tools": 2}
    assert {event["action"]["resource_id"] for event in events} == {"tax_advisor"}


async def test_a_registration_tells_its_evaluation_to_whoever_takes_it_in(db: Database):
    actor = person()
    facts: list[Any] = []

    async def take_in(_session: Any, taken: Any) -> None:
        facts.extend(taken)

    async with unit_of_work(db, actor) as session:
        await register_server(session, actor, agent(evaluation=Evaluation(questions=13, correct=11)))
    await relay(db, [Consumer(ServerRegistered, take_in)])

    (fact,) = [one for one in facts if isinstance(one, ServerRegistered) and one.evaluation]
    assert (fact.server, fact.version, fact.evaluation) == ("tax_advisor", "1", Evaluation(questions=13, correct=11))
