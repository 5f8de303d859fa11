"""`up` with stand-ins for the roles: starting, keeping alive, stopping, refusing."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from promptcraft.app.up.datadir import DataDirectory, read_state
from promptcraft.app.up.processes import Identity
from tests.app.processes import (
    Running,
    all_gone,
    descendants,
    eventually,
    start,
    with_stand_ins,
)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after its first start, to copy: making the database's files each time would take long."""
    place = tmp_path_factory.mktemp("lived-in")
    assert start(with_stand_ins(place / "data"), place / "talk").end() == 0
    return place / "data"


@pytest.fixture
def data(tmp_path: Path, lived_in: Path) -> Path:
    return shutil.copytree(lived_in, tmp_path / "data", symlinks=True)


@pytest.fixture(scope="module")
def steady(lived_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that stays up for all tests that leave it so."""
    place = tmp_path_factory.mktemp("steady")
    running = start(with_stand_ins(shutil.copytree(lived_in, place / "data", symlinks=True)), place / "talk")
    yield running
    running.put_away()


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    place = tmp_path / "fresh"
    (place / "secrets").mkdir(mode=0o700, parents=True)
    place.chmod(0o700)
    return place


@pytest.fixture
def up(data: Path, tmp_path: Path) -> Iterator[Running]:
    running = start(with_stand_ins(data), tmp_path / "talk")
    yield running
    running.put_away()


def again(data: Path, tmp_path: Path) -> Running:
    return start(with_stand_ins(data), tmp_path / "talk-again")


def _child(data: Path, name: str) -> Identity | None:
    found = read_state(DataDirectory(data)).get("children", {}).get(name)
    return Identity(found["pid"], found["started"]) if found else None


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 -- ours
        return answer.status


def test_it_says_where_it_is_who_may_enter_and_last_what_to_do_next(fresh: Path, tmp_path: Path) -> None:
    up = start(with_stand_ins(fresh), tmp_path / "talk")

    assert _get(f"{up.where['url']}/health/ready") == 200
    assert up.end() == 0
    assert up.where["administrator"] == {"username": "admin", "password": "once"}
    assert up.where["data_dir"] == str(fresh)
    assert "Password        once" in up.talk
    assert f"\nSign in:  pc-hybrid login --api-url {up.where['url']}\nStopping" in up.talk


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_leaves_no_process_and_no_socket_and_ends_well(
    up: Running, data: Path, how: signal.Signals
) -> None:
    family = descendants(up.process.pid)
    sockets = Path(read_state(DataDirectory(data))["sockets"])

    assert up.end(how) == 0
    assert not any(process.alive() for process in family)
    assert not sockets.exists()
    assert "database system is shut down" in (data / "logs" / "postgres.log").read_text()


def test_it_stops_the_door_first_and_the_servers_last(up: Running) -> None:
    up.end()

    stopped = [words[2] for line in up.talk.splitlines() if len(words := line.split()) == 4 and words[3] == "stopped"]
    assert stopped[0] == "serve"
    assert set(stopped[1:4]) == {"worker", "beat", "runtime"}
    assert set(stopped[4:]) == {"valkey", "postgres"}


def test_killed_it_leaves_no_process_and_the_next_start_recovers(up: Running, data: Path, tmp_path: Path) -> None:
    family = descendants(up.process.pid)
    up.process.kill()

    following = again(data, tmp_path)

    assert len(family) > 10
    assert all_gone(family)
    assert _get(f"{following.where['url']}/health/ready") == 200
    assert following.end() == 0


@pytest.mark.parametrize("sign", ["valkey started", "PostgreSQL's files are made", "schema", "bootstrap done"])
def test_killed_while_it_starts_it_leaves_no_process_and_the_next_start_recovers(
    fresh: Path, tmp_path: Path, sign: str
) -> None:
    with (tmp_path / "talk").open("wb") as talk:
        first = subprocess.Popen([sys.executable, *with_stand_ins(fresh)], stdout=subprocess.DEVNULL, stderr=talk)
    assert eventually(lambda: sign in (tmp_path / "talk").read_text())
    family = descendants(first.pid)
    first.kill()
    first.wait()

    following = again(fresh, tmp_path)

    assert all_gone(family)
    assert following.where["administrator"] in (None, {"username": "admin", "password": "once"})
    assert following.end() == 0


def test_a_second_up_on_the_directory_is_refused_with_the_pid_that_holds_it(steady: Running, tmp_path: Path) -> None:
    data = steady.data
    second = again(data, tmp_path)

    assert second.process.wait(timeout=30) == 5
    assert f"already running on {data} (pid {steady.process.pid})" in second.talk
    assert second.talk.splitlines()[-1].startswith("Stop it with `pc-hybrid down")
    assert _get(f"{steady.where['url']}/health/ready") == 200


def test_a_port_in_use_is_told_with_the_fix_before_anything_is_started(fresh: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = start(with_stand_ins(fresh, port), tmp_path / "talk")

        assert refused.process.wait(timeout=30) == 5
    error, fix = refused.talk.splitlines()
    assert error.startswith(f"Error: port {port} on 127.0.0.1 is in use by ")
    assert f"(pid {os.getpid()})" in error
    assert fix.startswith("Choose another with --port ")
    assert fix.split()[-1].rstrip(".").isdigit()
    assert not (fresh / "postgres").exists()


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_what_is_no_port_is_refused(tmp_path: Path, port: str) -> None:
    command = [sys.executable, "-m", "promptcraft.app", "up", f"--port={port}", "--data-dir", str(tmp_path / "data")]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert refused.returncode == 2
    assert f"{port} is not a port: 0 to 65535" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_port_of_another_up_is_told_as_such(steady: Running, tmp_path: Path) -> None:
    port = int(steady.where["url"].rpartition(":")[2])

    refused = start(with_stand_ins(tmp_path / "other", port), tmp_path / "talk-other")

    assert refused.process.wait(timeout=30) == 5
    assert f"port {port} on 127.0.0.1 is in use by " in refused.talk


@pytest.mark.parametrize("name", ["serve", "worker", "beat", "runtime", "valkey", "postgres"])
def test_whoever_dies_is_started_again(steady: Running, name: str) -> None:
    data = steady.data
    before = _child(data, name)
    assert before
    os.kill(before.pid, signal.SIGKILL)

    def new_one() -> bool:
        now = _child(data, name)
        return now is not None and now != before and now.alive()

    assert eventually(new_one)
    assert f"{name} was ended by SIGKILL; starting it again" in steady.talk
    assert _get(f"{steady.where['url']}/health/ready") == 200


def test_the_database_is_usable_after_it_was_killed(steady: Running) -> None:
    data = steady.data
    before = _child(data, "postgres")
    assert before
    os.kill(before.pid, signal.SIGKILL)
    url = (data / "secrets" / "url-db-app").read_text().strip().replace("postgresql+psycopg", "postgresql")

    def usable() -> bool:
        try:
            with psycopg.connect(url) as connection:
                return connection.execute("select 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    assert eventually(lambda: _child(data, "postgres") not in (None, before))
    assert eventually(usable)


def test_a_role_that_keeps_failing_is_told_with_the_end_of_its_log(up: Running, data: Path) -> None:
    (data / "break-beat").touch()
    beat = _child(data, "beat")
    assert beat
    os.kill(beat.pid, signal.SIGKILL)

    assert eventually(lambda: "beat keeps failing" in up.talk)
    assert "| beat was told to break" in up.talk
    assert up.end() == 0


def test_it_goes_on_where_nothing_can_be_written(up: Running, data: Path) -> None:
    state, log = data / "run.json", data / "logs" / "worker.log"
    worker = _child(data, "worker")
    assert worker
    for file in (state, log):
        file.unlink()
        file.mkdir()
    os.kill(worker.pid, signal.SIGKILL)

    assert eventually(lambda: "worker could not be started (Is a directory); starting it again" in up.talk)
    assert f"{state} cannot be written: Is a directory" in up.talk
    for file in (state, log):
        file.rmdir()
    assert eventually(lambda: state.exists() and _child(data, "worker") not in (None, worker))
    assert not list(data.glob(".run.json.*"))
    assert up.end() == 0


def test_an_api_that_cannot_start_ends_the_command_with_the_reason_and_no_process(fresh: Path, tmp_path: Path) -> None:
    (fresh / "break-serve").touch()

    failed = start(with_stand_ins(fresh), tmp_path / "talk")

    assert failed.process.wait(timeout=60) == 1
    assert "| serve was told to break" in failed.talk
    assert "Error: the API did not start" in failed.talk


def test_the_first_password_is_told_at_the_next_start_when_this_one_fails(fresh: Path, tmp_path: Path) -> None:
    (fresh / "break-serve").touch()
    start(with_stand_ins(fresh), tmp_path / "talk").process.wait(timeout=60)
    (fresh / "break-serve").unlink()

    second = again(fresh, tmp_path)
    second.end()
    third = again(fresh, tmp_path)
    third.end()

    assert second.where["administrator"] == {"username": "admin", "password": "once"}
    assert third.where["administrator"] is None
    assert "once" not in "".join(path.read_text() for path in (fresh / "secrets").iterdir())


def test_the_demo_agent_is_made_at_the_first_start_and_never_again(fresh: Path, tmp_path: Path) -> None:
    first = start([*with_stand_ins(fresh), "--demo"], tmp_path / "talk")
    assert eventually(lambda: "Ask the demo agent" in first.talk)
    assert first.end() == 0

    second = start([*with_stand_ins(fresh), "--demo"], tmp_path / "talk-again")
    assert eventually(lambda: "Ask the demo agent" in second.talk)
    assert second.end() == 0

    assert "made by admin" in first.talk
    assert "made by" not in second.talk


def test_where_the_demo_agent_could_not_be_made_nobody_is_sent_to_it(fresh: Path, tmp_path: Path) -> None:
    (fresh / "break-demo").touch()

    running = start([*with_stand_ins(fresh), "--demo"], tmp_path / "talk")

    assert eventually(lambda: "There is no demo agent. Make your own:  pc-hybrid agent create" in running.talk)
    assert running.end() == 0


def test_a_secret_that_is_lost_stops_the_start_before_another_takes_its_place(data: Path, tmp_path: Path) -> None:
    lost = data / "secrets" / "master.key"
    lost.unlink()

    refused = again(data, tmp_path)

    assert refused.process.wait(timeout=60) == 1
    assert f"Error: {lost} is missing" in refused.talk
    assert not lost.exists()


def test_a_password_that_the_database_does_not_know_is_said_to_be_it(data: Path, tmp_path: Path) -> None:
    (data / "secrets" / "db-superuser").write_text("another\n")

    refused = again(data, tmp_path)

    assert refused.process.wait(timeout=60) == 1
    assert "Error: PostgreSQL refuses its superuser" in refused.talk
    assert "Traceback" not in refused.talk


def test_a_second_request_to_stop_does_not_wait_for_the_deaf(up: Running, data: Path) -> None:
    (data / "deaf-worker").touch()
    worker = _child(data, "worker")
    assert worker
    os.kill(worker.pid, signal.SIGKILL)
    assert eventually(lambda: _child(data, "worker") not in (None, worker))
    family = descendants(up.process.pid)

    up.process.send_signal(signal.SIGINT)
    assert eventually(lambda: "Stopping ..." in up.talk)
    assert up.end(signal.SIGINT) == 0

    assert all_gone(family)
    assert "database system is shut down" in (data / "logs" / "postgres.log").read_text()


def test_no_password_shows_in_any_command_line_or_environment(steady: Running) -> None:
    data = steady.data
    secrets = [path.read_text().strip().encode() for path in (data / "secrets").iterdir()]
    assert len(secrets) > 8

    for process in descendants(steady.process.pid):
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
        assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize("role", ["serve", "worker", "beat", "runtime"])
def test_no_role_that_serves_knows_the_owner_of_the_database(steady: Running, role: str) -> None:
    data = steady.data
    child = _child(data, role)
    assert child
    environment = Path(f"/proc/{child.pid}/environ").read_bytes()

    assert b"PROMPTCRAFT_DB_APP_URL_FILE=" in environment
    assert b"ANALYTICS_DB" not in environment


def test_the_roles_inherit_nothing_but_their_address_and_their_gate(steady: Running) -> None:
    data = steady.data
    child = _child(data, "worker")
    assert child
    opened = [str(descriptor.readlink()) for descriptor in Path(f"/proc/{child.pid}/fd").iterdir()]

    assert not [name for name in opened if name.startswith("socket:")]
    assert not [name for name in opened if name.endswith("steady.lock")]


def test_down_stops_it_from_elsewhere(up: Running, data: Path) -> None:
    command = [sys.executable, "-m", "promptcraft.app", "down", "--data-dir", str(data)]
    first = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    second = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert first.stderr.strip() == f"Stopped (pid {up.process.pid})"
    assert up.process.wait(timeout=5) == 0
    assert second.stderr.startswith("Nothing is running on ")


def test_the_state_file_names_everybody_alive_and_goes_with_the_stop(up: Running, data: Path) -> None:
    state = json.loads((data / "run.json").read_text())

    assert state["url"] == up.where["url"]
    assert {"serve", "worker", "beat", "runtime", "valkey", "postgres"} == set(state["children"])
    assert {child["pid"] for child in state["children"].values()} <= {who.pid for who in descendants(up.process.pid)}
    up.end()
    assert not (data / "run.json").exists()
