"""No route and no command shows, tells, counts or changes anything of another organisation.

Generated from docs/openapi.json and from the commands: each is tried with their ids and names, and with such as never
were. What the platform does then is the same, to the SQL statement, so that no clock tells either.
"""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from sqlalchemy import text
from typer.main import get_command

from pc_hybrid.main import app
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.repeats import REPLAYED
from tests.agents.conftest import SPEC, uploaded
from tests.agents.test_pushes import git
from tests.cli.conftest import Ended, Home
from tests.cli.conftest import address as address
from tests.cli.conftest import home as home
from tests.cli.conftest import run as run
from tests.conftest import Platform
from tests.people import PASSWORD, Person
from tests.tenants.archives import ARCHIVE
from tests.tenants.commands import COMMANDS, HOST
from tests.tenants.conftest import UPDATE, Estate, Missing, Statements, alike, key_of, wants_agent
from tests.tenants.entries import ENTRIES, Entry, Things


def _leaves(command: Any, name: str = "") -> list[str]:
    if not isinstance(command, typer.core.TyperGroup):
        return [name]
    named = [(one, child) for one, child in command.commands.items() if not child.hidden]
    return [leaf for one, child in named for leaf in _leaves(child, f"{name} {one}".strip())]


DOCUMENT = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_text())
OPERATIONS = sorted(f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item)
CLIENTS = sorted(_leaves(get_command(app)))
# Of the platform, and the same for everybody: they answer whoever asks.
MEASURES = {"GET /metrics", "GET /health", "GET /health/ready"}
ENDS_THE_SESSION = {"POST /auth/logout"}


REPEATABLE = [
    operation
    for operation in OPERATIONS
    for method, path in [operation.split(" ", 1)]
    if "Idempotency-Key" in [one["name"] for one in DOCUMENT["paths"][path][method.lower()].get("parameters", ())]
]


async def send(person: Person, operation: str, entry: Entry, things: Things, key: str | None = None) -> httpx.Response:
    method, path = operation.split(" ", 1)
    headers = entry.headers | ({"Idempotency-Key": key} if key else {})
    options: dict[str, Any] = {"params": entry.query(things), "headers": headers}
    if entry.body is not None:
        options["json"] = entry.body(things)
    if entry.content is not None:
        options["content"] = entry.content
    if operation in ENDS_THE_SESSION:
        signed_in = await person.post("/auth/token", {"username": person.name, "password": PASSWORD})
        options["headers"] |= {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        await person.client.get("/api/v4/me", headers=options["headers"])
    return await person.client.request(method, path.format(**entry.path(things)), **options)


async def events_of(platform: Platform, answer: httpx.Response) -> list[tuple[int, bool]]:
    """Which events a request left, and whether in another organisation than theirs."""
    async with system_unit_of_work(platform.db) as session:
        rows = await session.execute(
            text("select catalogue_id, org_id from audit.event where request_id = :id order by event_id"),
            {"id": answer.headers["x-request-id"]},
        )
        return [(event, org_id != platform.rival) for event, org_id in rows]


def test_there_is_an_entry_for_every_operation_and_none_for_another():
    """Add to tests/tenants/entries.py what a new route is to be tried with."""
    assert sorted(ENTRIES) == OPERATIONS
    assert len(ENTRIES) == len(OPERATIONS)


async def test_they_have_one_of_everything(theirs: Things, estate: Estate):
    """Who adds a table with rows of organisations gives them one (the fixture `theirs`)."""
    empty = {name for name, (count, _) in _rows(estate.state()).items() if count == 0}

    assert empty <= {
        # What exists for moments, or only where a host runs; each is reached by no id that a caller could send.
        "kernel.outbox", "identity.recovery_code", "identity.revocation", "runtime.instance", "identity.signing_key",
        "analytics.execution_fact", "analytics.execution_rating", "analytics.runtime_usage",
        "analytics.agent_evaluation", "analytics.model_call_fact",
        "agents.refresh",
    }  # fmt: skip


def _rows(state: dict[str, Any]) -> dict[str, Any]:
    return {name: found for name, found in state.items() if name != "files"}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_theirs_is_to_us_as_if_it_were_not(
    operation: str, platform: Platform, ann: Person, theirs: Things, missing: Missing, estate: Estate,
    statements: Statements,
):  # fmt: skip
    entry = ENTRIES[operation]
    before = estate.state()
    for _ in range(2):  # whatever is remembered of the caller is remembered then
        await send(ann, operation, entry, missing())
    attempt = await send(ann, operation, entry, theirs)
    twin = missing()
    control = await send(ann, operation, entry, twin)
    after = estate.state()

    asked, asked_of_twin = _asked(operation, entry, theirs), _asked(operation, entry, twin)
    shown, expected = alike(attempt.text, theirs, asked), alike(control.text, twin, asked_of_twin)
    assert [word for word in theirs.telling if word not in asked and word in attempt.text] == []
    assert [word for word in theirs.telling if word in control.text and word not in asked] == []
    if entry.tells_them:
        assert before.pop("audit.event")[0] + 1 == after.pop("audit.event")[0]
    assert after == before
    if operation in MEASURES:
        return
    if entry.reveals:
        assert attempt.status_code != control.status_code, "it does not reveal that any more: take the reason away"
        return
    assert attempt.status_code == control.status_code
    assert shown == expected
    if not entry.tells_them:
        assert await events_of(platform, attempt) == await events_of(platform, control)
    if asked_of_twin == asked:
        return  # it names nothing that could be theirs
    # What a process remembers of the caller's own organisation is read again each second, for whichever request comes
    # then: a difference that is owed to the id is there every time, whichever of the two is the first.
    did = {True: {_statements(statements, attempt)}, False: {_statements(statements, control)}}
    for turn in range(4):
        if did[True] & did[False]:
            return
        for is_theirs in (turn % 2 == 0, turn % 2 == 1):
            answer = await send(ann, operation, entry, theirs if is_theirs else missing())
            did[is_theirs].add(_statements(statements, answer))
    assert did[True] & did[False], did


def _statements(statements: Statements, answer: httpx.Response) -> tuple[str, ...]:
    return tuple(statements.by_request[answer.headers["x-request-id"]])


@pytest.mark.parametrize("operation", REPEATABLE)
async def test_what_their_key_was_answered_is_nobody_elses(
    operation: str, platform: Platform, ann: Person, eve: Person, theirs: Things
):
    entry, key = ENTRIES[operation], key_of(operation)
    # What can be had once only was had: these are new.
    things = replace(theirs, agent_to_copy="their_new_agent", provider_to_copy="their-new-provider")
    if operation == UPDATE:
        things = replace(things, agent=theirs.agent_to_copy)
    done = await send(eve, operation, entry, things, key)
    again = await send(eve, operation, entry, things, key)
    assert (done.status_code // 100, again.text) == (2, done.text), "it was done, and is answered again"

    attempt = await send(ann, operation, entry, things, key)
    beside = replace(things, agent_to_copy="their_newer_agent", provider_to_copy="their-newer-provider")
    control = await send(ann, operation, entry, beside, str(new_id()))

    asked = _asked(operation, entry, things)
    told = [one for one in re.findall(r"[0-9a-f-]{36}", done.text) if one not in asked]
    assert [one for one in told if one in attempt.text] == []
    assert (REPLAYED in again.headers, REPLAYED in attempt.headers) == (True, False)
    assert attempt.status_code == control.status_code
    assert alike(attempt.text, things, asked) == alike(control.text, beside, _asked(operation, entry, beside))


def _asked(operation: str, entry: Entry, things: Things) -> str:
    body = entry.body(things) if entry.body else {}
    return json.dumps([operation, entry.path(things), entry.query(things), body])


async def test_a_name_that_is_theirs_is_free_to_us(ann: Person, eve: Person, theirs: Things, estate: Estate):
    await wants_agent(eve, "their_third_agent", theirs.upload)
    source = await uploaded(ann, ARCHIVE)  # other documents than theirs, so that theirs stay unknown to us
    before = estate.state()
    knowledge = [{"type": "markdown", "source": source}]
    spec = {**SPEC, "name": "their_third_agent", "domain": "tax", "knowledge_sources": knowledge}
    made = await ann.post("/api/v4/admin/agents/create", {"agent_spec": spec})

    assert made.status_code == 202
    assert estate.state() == before


def test_there_is_a_line_for_every_command_and_none_for_another():
    """Add to tests/tenants/commands.py what a new command is to be tried with."""
    assert sorted(COMMANDS) == CLIENTS


@pytest.mark.parametrize("name", [name for name in CLIENTS if not COMMANDS.get(name, HOST).about_the_host])
async def test_no_command_knows_what_is_theirs(
    name: str, ann: Person, theirs: Things, missing: Missing, estate: Estate, run: Any, home: Home, address: str
):
    command = COMMANDS[name]
    environment = {"PCH_API_URL": address, "PCH_TOKEN": ann.client.headers["Authorization"].partition(" ")[2]}
    before = estate.state()
    if command.in_a_clone:
        git(home.path, "init", "--quiet", "--initial-branch", "main")
        git(home.path, "commit", "--quiet", "--allow-empty", "-m", "edited")

    async def does(things: Things) -> Ended:
        (home.path / "given.json").write_text(command.file(things))
        words = [*name.split(), *command.words(things)]
        return await asyncio.to_thread(run, *words, stdin=command.stdin(things), **environment)

    def given_with(things: Things) -> str:
        return json.dumps([command.words(things), command.stdin(things), command.file(things)])

    twin = missing()
    given = given_with(theirs)
    if given == given_with(twin):
        await does(twin)  # it is about our own things, which it leaves as the next ones find them
    attempt = await does(theirs)
    control = await does(twin)
    after = estate.state()

    assert [word for word in theirs.telling if word not in given and word in attempt.data + attempt.talk] == []
    if command.tells_them:
        assert before.pop("audit.event")[0] + 1 == after.pop("audit.event")[0]
    assert after == before
    if command.reveals:
        assert attempt.exit_code != control.exit_code, "it does not reveal that any more: take the reason away"
        return
    assert attempt.exit_code == control.exit_code
    assert _wordless(attempt, theirs, given) == _wordless(control, twin, given_with(twin))


def _wordless(ended: Ended, things: Things, given: str) -> str:
    return re.sub(r"\s+", " ", alike(ended.data + ended.talk, things, given))
