"""An agent's repository goes home, is changed there, and comes back."""

import json

from tests.agents.conftest import work
from tests.agents.test_pushes import git
from tests.cli.conftest import address as address
from tests.cli.conftest import cli as cli
from tests.cli.conftest import home as home
from tests.cli.conftest import run as run


async def test_a_clone_is_changed_pushed_and_fetched(cli, alice, platform, create, home):
    assert (await create(alice))["status"] == "completed"
    mine = home.path / "mine"
    refused = await cli("agent", "push", "tax_advisor", str(home.path))
    assert (refused.exit_code, "is no clone of an agent" in refused.talk) == (2, True)
    assert (await cli("agent", "clone", "tax_advisor", str(mine))).exit_code == 0
    (mine / "NOTES.md").write_text("Ours.\n")
    git(mine, "add", "NOTES.md")
    git(mine, "commit", "--quiet", "-m", "notes")

    sent = await cli("agent", "push", "tax_advisor", str(mine), "--no-wait", "-o", "json")
    await work(platform)

    assert json.loads(sent.data)["version"] == "2", sent.talk
    watched = await cli("agent", "watch", json.loads(sent.data)["revision_id"])
    assert watched.data.strip() == "tax_advisor 2 is built", watched.talk
    fetched = await cli("agent", "fetch", "tax_advisor", str(mine))
    assert (fetched.exit_code, "platform/main has " in fetched.data) == (0, True), fetched.talk
    updated = await cli("agent", "update", "tax_advisor", "--no-wait", "-o", "json")
    await work(platform)
    watched = await cli("agent", "watch", json.loads(updated.data)["revision_id"])
    assert watched.data.strip() == "Its newest version is 2", watched.talk
