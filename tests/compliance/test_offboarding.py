"""An organisation leaves by the command: all of it is exported, nothing lets in any more, the others are untouched."""

import asyncio
import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from promptcraft import analytics
from promptcraft.compliance.service.export import EXPORTED, LEFT_OUT
from promptcraft.identity import found_organisation
from promptcraft.kernel import outbox
from promptcraft.kernel.audit.catalogue.compliance import EXPORT_FETCHED, EXPORT_WRITTEN, OFFBOARDING_REQUESTED
from promptcraft.kernel.audit.catalogue.identity import ORGANISATION_CLOSED
from promptcraft.kernel.db import system_unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.migrations.access import TABLES
from tests.agents.conftest import Creates, left_behind, work
from tests.conftest import Platform
from tests.people import PASSWORD, Person, arrive

ADMIN = "/api/v4/admin/organizations"


@pytest.fixture
async def operator(person) -> Person:
    """Who administers the platform, of another organisation than the one that leaves."""
    return await person("admin", "platform_admin", org="rival")


@pytest.fixture
async def leaving(platform: Platform):
    """Makes an organisation with an administrator and gives them: they are gone when it was offboarded."""
    number = iter(range(1000))

    async def found(slug: str) -> Person:
        org = await found_organisation(platform.db, slug, slug.capitalize())
        name = f"admin-of-{slug}-{next(number)}"
        return await arrive(platform.parts.identity, platform.asgi, org.id, name, ("admin",))

    return found


@pytest.fixture
async def cli(run, address: str, operator: Person):
    """Runs a command as who administers the platform; background work goes on meanwhile."""

    async def run_command(*arguments: str, stdin: str = ""):
        return await asyncio.to_thread(run, *arguments, stdin=stdin)

    ended = await run_command(
        "login", "--api-url", address, "--username", operator.name, "--password-stdin", stdin=f"{PASSWORD}\n"
    )
    assert ended.exit_code == 0, ended.talk
    return run_command


async def events(platform: Platform, org_id: UUID) -> list[int]:
    query = text("select catalogue_id from audit.event where org_id = :org order by occurred_at, event_id")
    async with system_unit_of_work(platform.db) as session:
        return list(await session.scalars(query, {"org": org_id}))


async def offboarded(platform: Platform, operator: Person, org_id: UUID, slug: str) -> dict:
    accepted = await operator.post(f"{ADMIN}/{org_id}/offboard", {"slug": slug})
    assert accepted.status_code == 202, accepted.text
    await until_done(platform, operator, org_id)
    return (await operator.get(accepted.headers["location"])).json()["data"]


async def until_done(platform: Platform, operator: Person, org_id: UUID) -> None:
    async with asyncio.timeout(60):
        while True:
            await relayed(platform)
            await work(platform)
            shown = (await operator.get(f"{ADMIN}/{org_id}/offboarding")).json()["data"]
            if shown["status"] in ("completed", "failed"):
                return
            await asyncio.sleep(0.2)


async def relayed(platform: Platform) -> None:
    await outbox.relay(platform.db, [*analytics.CONSUMERS])


def rows(lines: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]


async def running_meanwhile(platform: Platform, command):
    """A command's end, the platform's background work going on."""
    ending = asyncio.create_task(command)
    while not ending.done():
        await relayed(platform)
        await work(platform)
        await asyncio.sleep(0.2)
    return await ending


def check_export(file: Path, going: Person, others: list[str], room: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files["manifest.json"])
    sums = {name: told["sha256"] for name, told in manifest["files"].items()}
    assert {name: hashlib.sha256(files[name]).hexdigest() for name in files if name != "manifest.json"} == sums
    assert manifest["organization"]["slug"] == "leaver"
    whole = b"".join(files.values()).decode(errors="replace")
    assert str(going.org_id) in whole
    assert [other for other in others if other in whole] == []
    assert [user["username"] for user in rows(files["tables/identity.user_account.ndjson"])] == [going.name]
    assert "hash" not in rows(files["tables/identity.api_key.ndjson"])[0]
    assert json.loads(files["agents/tax_advisor/spec.json"])["name"] == "tax_advisor"
    events = rows(files["audit/events.ndjson"])
    assert {"agent.create", "organisation.offboard"} <= {event["action"]["operation"] for event in events}
    bundle = room / "repository.bundle"
    bundle.write_bytes(files["agents/tax_advisor/repository.bundle"])
    subprocess.run(["git", "clone", "--quiet", bundle, room / "clone"], check=True)
    assert (room / "clone" / "config" / "agent.json").is_file()


async def test_everything_is_exported_and_then_nothing_lets_in(
    cli, platform: Platform, operator: Person, leaving, create: Creates, host, home, person
):
    going, bystander = await leaving("leaver"), await person("admin")
    await create(going, deploy=True)
    await create(bystander)
    key = (await going.post("/api/v4/api-keys", {"name": "nightly"})).json()["data"]["key"]
    before = await events(platform, platform.acme)

    command = cli("org", "offboard", "leaver", "--yes", "--confirm-name", "leaver", "--export", "leaver.zip")
    ended = await running_meanwhile(platform, command)

    assert ended.exit_code == 0, ended.talk
    assert ended.data.startswith("leaver is closed since ")
    others = [str(platform.acme), bystander.name, "$argon2", key]
    await asyncio.to_thread(check_export, home.path / "leaver.zip", going, others, home.path)
    for credential in (going.client.headers["authorization"].split()[1], key):
        answer = await going.client.get("/api/v4/me", headers={"Authorization": f"Bearer {credential}"})
        assert answer.status_code == 401
    mine = [OFFBOARDING_REQUESTED.id, EXPORT_WRITTEN.id, ORGANISATION_CLOSED.id, EXPORT_FETCHED.id]
    assert [one for one in await events(platform, going.org_id) if one in mine] == mine
    assert await left_behind(platform, going) == []
    assert await events(platform, platform.acme) == before
    assert (await bystander.get("/api/v4/admin/agents/tax_advisor")).status_code == 200
    assert (await operator.post(f"{ADMIN}/{going.org_id}/resume")).json()["code"] == "organisation_closed"
    assert (await cli("org", "show", "leaver", "--jq", ".closed_at")).data.startswith("20")
    assert (await cli("org", "offboard", "leaver", "--yes", "--confirm-name", "leaver")).exit_code == 5


@pytest.mark.parametrize(
    ("options", "exit_code"), [((), 2), (("--yes",), 2), (("--yes", "--confirm-name", "rival"), 2)]
)
async def test_both_confirmations_are_needed(cli, platform: Platform, options, exit_code):
    ended = await cli("org", "offboard", "acme", *options)

    assert ended.exit_code == exit_code
    async with system_unit_of_work(platform.db) as session:
        active = text("select active from identity.organisation where org_id = :org")
        assert await session.scalar(active, {"org": platform.acme})


async def test_the_short_name_is_asked_for_by_the_platform_too(operator: Person, platform: Platform):
    answer = await operator.post(f"{ADMIN}/{platform.acme}/offboard", {"slug": "another"})

    assert (answer.status_code, answer.json()["code"]) == (422, "not_this_organisation")


async def test_only_who_administers_the_platform_may_and_not_with_their_own(alice: Person, operator, leaving):
    theirs = await leaving("bystanders")
    for path in ("offboarding", "offboarding/export"):
        assert (await alice.get(f"{ADMIN}/{theirs.org_id}/{path}")).status_code == 403
        assert (await operator.get(f"{ADMIN}/{new_id()}/{path}")).status_code == 404
        assert (await operator.get(f"{ADMIN}/{theirs.org_id}/{path}")).status_code == 404
    assert (await alice.post(f"{ADMIN}/{theirs.org_id}/offboard", {"slug": "bystanders"})).status_code == 403
    own = await operator.post(f"{ADMIN}/{operator.org_id}/offboard", {"slug": "rival"})
    assert own.json()["code"] == "not_yourself"


async def test_while_it_is_under_way_nobody_comes_in_and_it_is_not_taken_back(operator: Person, leaving, nobody):
    going = await leaving("going")
    begun = await operator.post(f"{ADMIN}/{going.org_id}/offboard", {"slug": "going"})

    assert begun.json()["data"]["status"] == "pending"
    answers = [await operator.post(f"{ADMIN}/{going.org_id}/{what}") for what in ("resume", "suspend")]
    answers.append(await operator.post(f"{ADMIN}/{going.org_id}/offboard", {"slug": "going"}))
    assert {answer.json()["code"] for answer in answers} == {"offboarding_under_way"}
    signed_in = await nobody.post("/auth/token", json={"username": going.name, "password": PASSWORD})
    assert signed_in.status_code == 401
    early = await operator.get(f"{ADMIN}/{going.org_id}/offboarding/export")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_there")


@pytest.mark.parametrize("step", ["quiet", "export", "agents", "close"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_killed_at_any_step_is_followed_by_one_that_ends_it(
    platform: Platform,
    operator: Person,
    leaving,
    killed,
    step,
    moment,
):
    going = await leaving(f"killed-{step}-{moment}")
    begun = await operator.post(f"{ADMIN}/{going.org_id}/offboard", {"slug": f"killed-{step}-{moment}"})
    await relayed(platform)

    await killed(begun.json()["data"]["offboarding_id"], step, moment)
    await until_done(platform, operator, going.org_id)

    shown = (await operator.get(f"{ADMIN}/{going.org_id}/offboarding")).json()["data"]
    assert (shown["status"], shown["closed_at"] is not None) == ("completed", True)
    fetched = await operator.get(f"{ADMIN}/{going.org_id}/offboarding/export")
    assert hashlib.sha256(fetched.content).hexdigest() == shown["export"]["sha256"]
    exports = platform.process.settings.core.data_dir / "exports" / str(going.org_id)
    assert [path.name for path in exports.iterdir()] == [f"{shown['offboarding_id']}.zip"]
    assert (await events(platform, going.org_id)).count(ORGANISATION_CLOSED.id) == 1


def test_every_table_of_an_organisation_is_exported_or_left_out_for_a_reason():
    of_organisations = {name for name, access in TABLES.items() if access.tenant and "SELECT" in access.app}

    assert of_organisations == EXPORTED.keys() | LEFT_OUT.keys()
    assert not EXPORTED.keys() & LEFT_OUT.keys()
