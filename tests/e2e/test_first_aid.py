"""What the owner of the host does when nobody can sign in, or a key may be known."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from promptcraft_sdk.client import ApiError, Client, api
from tests.e2e.conftest import Running

pytestmark = pytest.mark.e2e


def on_the_host(*arguments: str, data: Path) -> "subprocess.CompletedProcess[str]":
    """A command about this host, as a person runs it there: in a process that it becomes."""
    command = (sys.executable, "-P", "-m", "pc_hybrid", *arguments, "--data-dir", str(data))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(data.parent)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_lost_password_is_given_anew_and_the_old_one_and_its_sessions_end(running: Running, key: str):
    with Client(running.url) as administrator, Client(running.url) as theirs, Client(running.url) as somebody:
        administrator.sign_in(running.username, running.password)
        invitation = administrator.send(api.invite_user("forgetful")).invitation
        somebody.send(api.accept_invitation(invitation, "the first password"))
        theirs.sign_in("forgetful", "the first password")

        given = on_the_host("admin", "reset-password", "Forgetful", "-o", "json", data=running.data)

        assert given.returncode == 0, given.stderr
        password = json.loads(given.stdout)["password"]
        somebody.sign_in("forgetful", password)
        with pytest.raises(ApiError):
            Client(running.url).sign_in("forgetful", "the first password")
        with pytest.raises(ApiError):
            theirs.send(api.renew(theirs.credentials.session))
        [event, *_] = administrator.send(api.audit_events(action="password.reset"))
        assert event.action["resource_id"] == str(somebody.send(api.me()).user_id)


def test_nobody_of_that_name_is_said_and_exits_3(running: Running):
    ended = on_the_host("admin", "reset-password", "no such person", data=running.data)

    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith("Error: There is no user no such person.")


def test_where_nothing_runs_the_way_to_start_is_named(tmp_path: Path):
    for command in (("admin", "reset-password", "admin"), ("keys", "rotate")):
        ended = on_the_host(*command, data=tmp_path / "data")
        assert ended.returncode != 0
        assert "pc-hybrid up" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_keys_are_rotated_and_who_is_signed_in_notices_nothing(running: Running, key: str):
    with Client(running.url) as administrator:
        administrator.sign_in(running.username, running.password)

        done = on_the_host("keys", "rotate", "-o", "json", data=running.data)

        assert done.returncode == 0, done.stderr
        rotated = json.loads(done.stdout)
        assert rotated["current"] in rotated["published"]
        assert administrator.send(api.me()).username == running.username
        administrator.sign_in(running.username, running.password)
        assert administrator.send(api.me()).username == running.username
