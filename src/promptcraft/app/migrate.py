"""Bringing the database to this version: the roles where we may make them, then the schema."""

import argparse

import psycopg
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from promptcraft.app.addresses import needed
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.migrations import upgrade
from promptcraft.migrations.access import APP, SYSTEM
from promptcraft.settings import Settings, load_settings

_NEEDS_ROLES = 1


def main(gate: int | None, arguments: argparse.Namespace) -> int:
    """Upgrade the database that the settings name. Exit status 1 where a role is missing that we cannot make."""
    wait_for_gate(gate)
    settings = load_settings()
    owner_url = needed("ANALYTICS_DB_URL", settings.core.owner_url)
    refusal, missing = _make_roles(owner_url, settings)
    if missing:
        print(f"The database's owner cannot make the roles: {refusal}. Run this as a superuser, then migrate again:\n")
        print("\n".join(missing))
        return _NEEDS_ROLES
    applied = upgrade(owner_url)
    if not arguments.quiet:
        print(f"applied {', '.join(applied)}" if applied else "the schema is current")
    return 0


def _make_roles(owner_url: str, settings: Settings) -> tuple[str, list[str]]:
    """Make the roles that are not there; where the server refuses that, return why, and the SQL for them."""
    urls = {
        APP: needed("PROMPTCRAFT_DB_APP_URL", settings.core.db_app_url),
        SYSTEM: needed("PROMPTCRAFT_DB_SYSTEM_URL", settings.core.db_system_url),
    }
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.begin() as connection:
        known = set(connection.scalars(text("select rolname from pg_roles")))
        statements = [s for role, url in urls.items() for s in _statements(connection, role, make_url(url), known)]
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    except DBAPIError as refused:
        # its own words would show the statements as they were sent
        reason = getattr(getattr(refused.orig, "diag", None), "message_primary", None)
        return reason or "it cannot be reached", [_without_password(statement) for statement in statements]
    return "", []


def _statements(connection: Connection, role: str, url: URL, known: set[str]) -> list[str]:
    """What is missing for this role; an address may name a user of its own, who becomes a member of the role."""
    user = url.username or role
    quoted = connection.scalar(text("select quote_ident(:user)"), {"user": user})
    database = connection.scalar(text("select quote_ident(current_database())"))
    login = f"login nosuperuser nobypassrls nocreatedb nocreaterole password '{_verifier(connection, user, url)}';"
    statements: list[str] = []
    if role not in known:
        statements.append(f"create role {role} {login if user == role else 'nologin;'}")
        statements.append(f"grant connect on database {database} to {role};")
    if user != role and user not in known:
        statements.append(f"create role {quoted} in role {role} {login}")
    return statements


def _verifier(connection: Connection, user: str, url: URL) -> str:
    """What the server keeps, and might log, in place of the password."""
    server: psycopg.Connection = connection.connection.driver_connection  # pyright: ignore[reportAssignmentType]  # ours
    password = (url.password or "").encode()
    return server.pgconn.encrypt_password(password, user.encode(), b"scram-sha-256").decode()


def _without_password(statement: str) -> str:
    head, found, _ = statement.partition(" password ")
    return f"{head} password '<that of its address>';" if found else statement
