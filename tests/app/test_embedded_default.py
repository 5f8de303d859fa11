"""The whole platform by one command: what a person without server or setting gets, and what is left when it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promptcraft.app.up.datadir import DataDirectory, read_state
from promptcraft.app.up.processes import Identity
from promptcraft.app.up.servers import EmbeddedServers
from tests.app.processes import Running, all_gone, descendants, eventually, listening_tcp, start

pytestmark = pytest.mark.e2e


def up(data: Path, talk: Path, **environment: str) -> Running:
    options = ["--data-dir", str(data), "--port", "0", "--verbose", "--output", "json"]
    return start(["-P", "-m", "promptcraft.app", "up", *options], talk, environment)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One platform for all tests that leave it as it was."""
    place = tmp_path_factory.mktemp("platform")
    platform = up(place / "data", place / "talk")
    assert platform.where, platform.talk
    yield platform
    platform.put_away()


def ask(url: str, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310  ours
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  ours
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def well(platform: Running) -> bool:
    return ask(f"{platform.where['url']}/health")[1]["status"] == "ok"


def signed_in(platform: Running, administrator: dict[str, str]) -> int:
    credentials = {name: administrator[name] for name in ("username", "password")}
    return ask(f"{platform.where['url']}/auth/token", credentials)[0]


def children(platform: Running) -> dict[str, Identity]:
    found = read_state(DataDirectory(platform.data)).get("children", {})
    return {name: Identity(child["pid"], child["started"]) for name, child in found.items()}


def test_the_administrator_it_names_can_sign_in_and_every_part_is_well(running: Running) -> None:
    # Another test may have killed a part a moment ago: what follows is that all are well again.
    assert eventually(lambda: well(running), 60), ask(f"{running.where['url']}/health")
    assert signed_in(running, running.where["administrator"]) == 200
    assert signed_in(running, running.where["administrator"] | {"password": "guess"}) == 401
    assert {part["name"] for part in ask(f"{running.where['url']}/health")[1]["parts"]} >= {
        "database",
        "redis",
        "runtime",
    }


def test_only_the_api_listens_and_only_on_this_host(running: Running) -> None:
    family = [running.process.pid, *(who.pid for who in descendants(running.process.pid))]
    port = int(running.where["url"].rpartition(":")[2])

    assert set(listening_tcp(family)) == {f"0100007F:{port:04X}"}


def test_no_secret_shows_in_any_command_line_or_environment(running: Running) -> None:
    secrets = [path.read_text().strip().encode() for path in (running.data / "secrets").iterdir() if path.is_file()]
    assert len(secrets) > 8

    for process in descendants(running.process.pid):
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        assert not [secret for secret in secrets if secret in shown]


def test_killed_it_leaves_no_process_and_the_next_start_knows_everybody(tmp_path: Path) -> None:
    first = up(tmp_path / "data", tmp_path / "talk")
    family = descendants(first.process.pid)
    # The password is given out again until it is certain that it was told, which is a moment after the line.
    assert eventually(lambda: not (tmp_path / "data" / "secrets" / "first-administrator").exists())
    first.process.kill()

    following = up(tmp_path / "data", tmp_path / "talk-again")

    assert len(family) > 12
    assert all_gone(family)
    assert following.where["administrator"] is None
    assert signed_in(following, first.where["administrator"]) == 200
    assert following.end() == 0


def test_a_demo_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    with (tmp_path / "talk").open("wb") as talk:
        command = [sys.executable, "-P", "-m", "promptcraft.app", "demo"]
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
        demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=talk, env=environment)
    assert eventually(lambda: "is ready at" in (tmp_path / "talk").read_text(), 120)
    family = descendants(demo.pid)

    demo.kill()
    demo.wait()

    assert len(family) > 12
    assert all_gone(family)


def test_by_default_it_lives_in_the_xdg_place_and_asked_to_stop_it_leaves_no_process(tmp_path: Path) -> None:
    command = ["-P", "-m", "promptcraft.app", "up", "--port", "0", "--output", "json"]
    platform = start(command, tmp_path / "talk", {"XDG_DATA_HOME": str(tmp_path / "share")})
    family = descendants(platform.process.pid)

    assert platform.where["data_dir"] == str(tmp_path / "share" / "promptcraft")
    assert platform.end(signal.SIGINT) == 0
    assert not any(process.alive() for process in family)
    assert "was killed" not in platform.talk


@pytest.mark.parametrize("role", ["serve", "worker", "beat", "runtime"])
def test_a_killed_role_leaves_no_process_of_its_own_and_comes_back(running: Running, role: str) -> None:
    assert eventually(lambda: role in children(running))
    before = children(running)[role]
    family = [before, *descendants(before.pid)]
    os.kill(before.pid, signal.SIGKILL)

    assert all_gone(family)
    assert eventually(lambda: children(running).get(role) not in (None, before))
    assert eventually(lambda: well(running)), ask(f"{running.where['url']}/health")


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_the_platform_recovers_from_the_death_of_a_server(running: Running, server: str) -> None:
    assert eventually(lambda: server in children(running))
    before = children(running)[server]
    os.kill(before.pid, signal.SIGKILL)

    assert eventually(lambda: children(running).get(server) not in (None, before))
    assert eventually(lambda: well(running)), ask(f"{running.where['url']}/health")
    assert eventually(lambda: signed_in(running, running.where["administrator"]) == 200)


def test_outside_servers_are_used_and_none_is_started(servers: EmbeddedServers, tmp_path: Path) -> None:
    urls = servers.new_database("outside")
    environment = {
        "POSTGRES_URL": urls.owner,
        "ANALYTICS_DB_NAME": "outside",
        "PROMPTCRAFT_DB_APP_URL": urls.app,
        "PROMPTCRAFT_DB_SYSTEM_URL": urls.system,
        "REDIS_URL": urls.redis,
    }
    platform = up(tmp_path / "data", tmp_path / "talk", **environment)
    try:
        assert platform.where, platform.talk
        assert set(children(platform)) == {"serve", "worker", "beat", "runtime"}
        assert not (tmp_path / "data" / "postgres").exists()
        for role in children(platform).values():
            assert b"promptcraft_owner" not in Path(f"/proc/{role.pid}/environ").read_bytes()
        assert signed_in(platform, platform.where["administrator"]) == 200
        assert platform.end() == 0
    finally:
        platform.put_away()
        servers.drop_database("outside")


def test_settings_that_contradict_the_embedded_database_are_refused_with_the_fix(tmp_path: Path) -> None:
    platform = up(tmp_path / "data", tmp_path / "talk", PROMPTCRAFT_DB_APP_URL="postgresql://a:b@elsewhere/c")

    assert platform.process.wait(timeout=30) == 1
    assert platform.talk.splitlines()[-1].startswith("Set ANALYTICS_DB_URL as well")


def test_refused_settings_are_told_one_by_one_before_anything_is_made(tmp_path: Path) -> None:
    platform = up(tmp_path / "data", tmp_path / "talk", PROMPTCRAFT_PORT="many", REDIS_PASSWORD="lonely")

    assert platform.process.wait(timeout=30) == 2
    assert "PROMPTCRAFT_PORT" in platform.talk
    assert "REDIS_PASSWORD" in platform.talk
    assert "lonely" not in platform.talk
    assert not (tmp_path / "data").exists()


def test_workers_that_find_no_database_when_they_start_work_once_it_is_there(tmp_path: Path) -> None:
    platform = up(tmp_path / "data", tmp_path / "talk")
    try:
        assert eventually(lambda: found_none(platform), 60)
        assert eventually(lambda: periodic_work_done(platform) > 0, 60)
    finally:
        platform.put_away()


def found_none(platform: Running) -> bool:
    """Kills the database once more, unless each of the workers has looked for it in vain."""
    if (platform.data / "logs/worker.log").read_text().count("raised: Unavailable") == 3:
        return True
    if postgres := children(platform).get("postgres"):
        with suppress(ProcessLookupError):
            os.kill(postgres.pid, signal.SIGKILL)
    return False


def periodic_work_done(platform: Running) -> int:
    address = (platform.data / "secrets/url-db-owner").read_text().strip().replace("+psycopg", "")
    try:
        with psycopg.connect(address) as database:
            ran = database.execute("select count(*) from kernel.standing_job where last_run_at is not null")
            return (ran.fetchone() or (0,))[0]
    except psycopg.OperationalError:
        return 0
