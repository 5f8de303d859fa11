"""An event's record: the whole §5.4 structure, in bytes that can be hashed, in the transaction of its change."""

from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from promptcraft.audit import OrganisationSealer
from promptcraft.kernel import audit
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit import Event, Sealed, canonical_bytes
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.ids import new_id

RENAMED = Event(id=999001, name="thing.rename", sentence="{actor} renamed {resource}", personal=frozenset({"old_name"}))
SEALER = OrganisationSealer(b"k" * 32)


@pytest.fixture(autouse=True)
def sealer():
    audit.install_sealer(SEALER)


@pytest.fixture
def actor() -> Actor:
    return Actor(new_id(), new_id(), new_id(), frozenset(), "r-1", "Ada")


def request() -> WorkContext:
    return WorkContext("api", "r-1", "c-1", "POST", "/things/{id}", "203.0.113.7", "curl/8", 12, 201)


async def log_of(db: Database, actor: Actor) -> list[str]:
    async with unit_of_work(db, actor) as session:
        return list((await session.scalars(text("select canonical from audit.event order by event_id"))).all())


async def renamed(db: Database, actor: Actor, **given: object) -> UUID:
    with enter(request()):
        async with unit_of_work(db, actor) as session:
            return await audit.record(session, actor, RENAMED, resource="a", old_name="Ada's thing", **given)


async def test_record_holds_the_whole_structure(db, actor):
    event_id = await renamed(db, actor, cost=Decimal("0.0100"), times=3)

    event = orjson.loads((await log_of(db, actor))[0])

    assert event["event_id"] == str(event_id)
    assert (event["user_id"], event["organization_id"]) == (str(actor.user_id), str(actor.org_id))
    assert event["source"]["component"] == "api_gateway"
    assert event["source"]["process"] == "api"
    assert event["action"] == {
        "operation": "thing.rename",
        "resource": "thing",
        "resource_id": "a",
        "method": "POST",
        "endpoint": "/things/{id}",
    }
    assert event["outcome"]["status_code"] == 201
    assert event["data"]["cost"] == "0.0100"
    assert event["data"]["response_size_bytes"] is None
    assert event["details"]["times"] == 3


async def test_what_belongs_to_a_person_is_sealed_and_opens_with_its_key_alone(db, actor):
    event_id = await renamed(db, actor)

    canonical = (await log_of(db, actor))[0]

    assert "203.0.113.7" not in canonical
    assert "Ada's thing" not in canonical
    field = orjson.loads(canonical)["details"]["old_name"]
    sealed = Sealed(field["key_id"], field["sealed"])
    assert SEALER.open(actor.org_id, sealed, f"{event_id}/old_name") == "Ada's thing"
    with pytest.raises(ValueError, match="changed"):
        SEALER.open(actor.org_id, sealed, f"{new_id()}/old_name")


async def test_the_change_and_its_event_go_together(db, actor):
    with pytest.raises(RuntimeError):
        async with unit_of_work(db, actor) as session:
            await audit.record(session, actor, RENAMED, resource="a")
            raise RuntimeError

    assert await log_of(db, actor) == []


async def test_stored_text_is_the_canonical_form_of_what_it_says(db, actor):
    await renamed(db, actor, note="né 🙂 \u202e \ud800")

    canonical = (await log_of(db, actor))[0]

    assert canonical_bytes(orjson.loads(canonical)) == canonical.encode()


@pytest.mark.parametrize("statement", ["update audit.event set canonical = '{}'", "delete from audit.event"])
async def test_application_cannot_change_the_log(db, actor, statement):
    await renamed(db, actor)

    with pytest.raises(Exception, match="permission denied"):
        async with unit_of_work(db, actor) as session:
            await session.execute(text(statement))


@pytest.mark.parametrize("value", [1.5, {"é": 1}, 2**60, object()])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        canonical_bytes({"value": value})


async def test_organisations_do_not_see_each_others_events(db, actor):
    await renamed(db, actor)

    assert await log_of(db, platform_actor(org_id=new_id())) == []


def test_an_id_is_given_once():
    with pytest.raises(ValueError, match="given twice"):
        Event(id=RENAMED.id, name="other.event", sentence="")
