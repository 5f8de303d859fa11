"""`migrate` on an outside server: it makes the roles where it may, else says what a superuser has to run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool


def as_user(url: str, name: str, password: str) -> str:
    return make_url(url).set(username=name, password=password).render_as_string(hide_password=False)


@pytest.fixture
def migrate(servers, tmp_path: Path):
    """Runs `migrate` on an empty database, with users for the two roles that the server does not know yet."""
    made: list[str] = []

    def run(owner: str, name: str) -> tuple[subprocess.CompletedProcess[str], str, str]:
        database = servers.new_database(name, template="template0")
        made.append(name)
        app = as_user(database.app, f"{name}_web", "app's pass'word, 100 %s")
        system = as_user(database.system, f"{name}_work", "another")
        environment = {
            "PATH": os.environ["PATH"],
            "PROMPTCRAFT_DATA_DIR": str(tmp_path),
            "ANALYTICS_DB_URL": getattr(database, owner),
            "PROMPTCRAFT_DB_APP_URL": app,
            "PROMPTCRAFT_DB_SYSTEM_URL": system,
        }
        command = [sys.executable, "-P", "-m", "promptcraft.app", "migrate"]
        done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=120, check=False)
        return done, app, database.superuser

    yield run
    for name in made:
        servers.drop_database(name)


def test_owner_who_may_not_make_roles_prints_what_a_superuser_has_to_run(migrate):
    done, app, superuser = migrate("owner", "outside_one")

    assert done.returncode == 1
    assert "create role outside_one_web in role promptcraft_app" in done.stdout
    assert "pass'word" not in done.stdout + done.stderr
    engine = create_engine(superuser, poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from pg_roles where rolname like 'outside_one%'")) == 0


def test_owner_who_may_makes_the_roles_and_they_are_bound_by_row_level_security(migrate):
    done, app, superuser = migrate("superuser", "outside_two")

    assert done.returncode == 0, done.stdout + done.stderr
    engine = create_engine(app, poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("select set_config('app.org_id', gen_random_uuid()::text, true)"))
        assert connection.scalar(text("select count(*) from agents.agent")) == 0
        assert (
            connection.scalar(text("select rolbypassrls or rolsuper from pg_roles where rolname = current_user"))
            is False
        )
    cleaning = create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with cleaning.connect() as connection:
        connection.execute(text("drop role outside_two_web"))
        connection.execute(text("drop role outside_two_work"))
