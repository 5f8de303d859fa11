"""The three roles of the platform and its database, made as the superuser and brought in line at every start."""

from collections.abc import Iterable
from contextlib import suppress

import psycopg
from psycopg import sql

from promptcraft.app.up.errors import ServerFailed
from promptcraft.app.up.postgres import SUPERUSER, Postgres

DATABASE = "promptcraft"
OWNER = "promptcraft_owner"
APP = "promptcraft_app"
SYSTEM = "promptcraft_system"
SECRET_OF = {OWNER: "db-owner", APP: "db-app", SYSTEM: "db-system"}

# a transaction that waits for its client holds locks and keeps dead rows: nobody else may have to wait longer for it
_IDLE_IN_TRANSACTION = {OWNER: "10min", APP: "60s", SYSTEM: "60s"}


def prepare_roles(postgres: Postgres) -> None:
    """Make or mend the roles and the database `promptcraft`; running it twice changes nothing.

    Raises ServerFailed where PostgreSQL does not let its superuser do that.
    """
    try:
        _prepare(postgres)
    except psycopg.Error as refused:
        raise ServerFailed(
            f"PostgreSQL refuses its superuser: {str(refused).splitlines()[-1]}",
            next_step=f"Its password is in {postgres.place.secrets}/db-superuser. See {postgres.log}",
        ) from refused


def _prepare(postgres: Postgres) -> None:
    with _superuser(postgres, "postgres") as connection:
        for role, secret in SECRET_OF.items():
            _role(connection, role, postgres.place.secret(secret))
        for shared in ("postgres", "template1"):
            connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(shared)))
    make_database(postgres, DATABASE)


def make_database(postgres: Postgres, name: str, template: str = "template0") -> None:
    """Make a database of the owner's, as a copy of `template`, that only the three roles may enter."""
    with _superuser(postgres, "postgres") as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
        if found is None:
            _execute(connection, "create database {} owner {} template {}", name, OWNER, template)
        _execute(connection, "revoke all on database {} from public", name)
        _execute(connection, "grant connect on database {} to {}, {}", name, APP, SYSTEM)
    if found is None:
        with _superuser(postgres, name) as connection:
            connection.execute("revoke all on schema public from public")


def drop_database(postgres: Postgres, name: str) -> None:
    """Drop a database, ending whatever is connected to it."""
    with _superuser(postgres, "postgres") as connection:
        _execute(connection, "drop database if exists {} with (force)", name)


def _superuser(postgres: Postgres, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=str(postgres.sockets),
        user=SUPERUSER,
        password=postgres.place.secret("db-superuser"),
        dbname=database,
        autocommit=True,
        connect_timeout=10,
    )


def _role(connection: psycopg.Connection, role: str, password: str) -> None:
    with suppress(psycopg.errors.DuplicateObject):
        _execute(connection, "create role {}", role)
    # what the server sees, and might log, is the verifier and not the password
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(
        sql.SQL("alter role {} login nosuperuser nobypassrls nocreatedb nocreaterole noreplication password {}").format(
            sql.Identifier(role), sql.Literal(verifier)
        )
    )
    connection.execute(
        sql.SQL("alter role {} set idle_in_transaction_session_timeout = {}").format(
            sql.Identifier(role), sql.Literal(_IDLE_IN_TRANSACTION[role])
        )
    )


def _execute(connection: psycopg.Connection, statement: str, *names: str) -> None:
    identifiers: Iterable[sql.Identifier] = (sql.Identifier(name) for name in names)
    connection.execute(sql.SQL(statement).format(*identifiers))  # pyright: ignore[reportArgumentType]  # statements are literals of this module
