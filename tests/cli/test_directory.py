"""People, groups and organisations by the command line, on the platform itself."""

import json
from uuid import uuid4

import pytest

from tests.people import Person

NEW = "a new password of theirs"


@pytest.fixture
def name() -> str:
    return f"user-{uuid4().hex[:8]}"


async def test_somebody_is_invited_accepts_and_signs_in(cli, address, name):
    invited = await cli("user", "invite", name, "--role", "developer")
    assert invited.data.startswith("pci_")
    assert f"pc-hybrid accept-invitation --api-url {address}" in invited.talk
    assert "invited" in (await cli("user", "show", name)).data

    accepted = await cli("accept-invitation", "--api-url", address, "--stdin", stdin=f"{invited.data}{NEW}\n")
    assert accepted.exit_code == 0, accepted.talk
    signed_in = await cli("login", "--api-url", address, "--username", name, "--password-stdin", stdin=f"{NEW}\n")
    assert signed_in.exit_code == 0
    assert "roles        developer" in (await cli("whoami")).data


async def test_an_invitation_works_once(cli, address, name):
    invitation = (await cli("user", "invite", name)).data
    for expected in (0, 4):
        ended = await cli("accept-invitation", "--api-url", address, "--stdin", stdin=f"{invitation}{NEW}\n")
        assert ended.exit_code == expected


async def test_somebody_is_suspended_resumed_changed_and_offboarded(cli, name):
    await cli("user", "invite", name)

    assert "suspended" in (await cli("user", "suspend", name)).data
    assert "suspended" not in (await cli("user", "resume", name)).data
    changed = json.loads((await cli("user", "set-roles", name, "--role", "analyst", "-o", "json")).data)
    assert changed["roles"] == ["analyst"]
    assert (await cli("user", "offboard", name)).exit_code == 2, "nobody is there to be asked"
    export = json.loads((await cli("user", "offboard", name, "--yes", "-o", "json")).data)
    assert export["user"]["username"] == name
    assert (await cli("user", "show", "nobody-of-that-name")).exit_code == 3


async def test_an_invitation_for_somebody_who_is_there_changes_nothing_else(cli, name):
    first = (await cli("user", "invite", name)).data

    assert (await cli("user", "invite", name, "--role", "admin")).exit_code == 5
    assert (await cli("user", "invite", name)).data not in ("", first)


async def test_a_group_gives_its_members_its_roles(cli, name):
    group = f"group-{name}"
    await cli("user", "invite", name)

    assert (await cli("group", "set-roles", group, "--role", "developer")).data == f"{group}: developer\n"
    assert group in (await cli("user", "set-groups", name, "--group", group)).data
    assert group in (await cli("group", "list")).data
    assert (await cli("group", "remove", group, "--yes")).exit_code == 0
    assert group not in (await cli("group", "list")).data


async def test_roles_say_what_they_may(cli):
    roles = {role["name"]: role["permissions"] for role in json.loads((await cli("role", "list", "-o", "json")).data)}

    assert "agent:create" in roles["developer"]
    assert "agent:create" not in roles["viewer"]


async def test_organisations_are_for_the_platforms_administrators(cli, alice: Person):
    assert (await cli("org", "list")).exit_code == 7


async def test_an_organisation_is_made_suspended_and_resumed(cli, address, person, name):
    ruler: Person = await person("platform_admin")
    login = ("login", "--api-url", address, "--username", ruler.name, "--password-stdin")
    await cli(*login, stdin="correct horse battery staple\n")

    assert (await cli("org", "create", name, "--administrator", f"head-of-{name}")).data.startswith("pci_")
    assert "suspended" in (await cli("org", "suspend", name)).data
    assert "suspended" not in (await cli("org", "resume", name)).data
    assert (await cli("org", "suspend", "no-such-one")).exit_code == 3
