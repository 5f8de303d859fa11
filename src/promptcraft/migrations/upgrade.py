"""Bringing the schema to this version: one migrator at a time, short locks, access rules last."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from promptcraft.migrations import access

_ADVISORY_LOCK = 0x70726F6D7074  # "prompt"
_HERE = Path(__file__).parent
_NOTE_ACCESS = text(
    "insert into kernel.schema_note values ('access', :value) on conflict (name) do update set value = excluded.value"
)


def upgrade(owner_url: str) -> list[str]:
    """Upgrade the database at this address, as its owner. Returns the revisions applied (none when it was current).

    A database that a newer version upgraded is left as it is. Raises sqlalchemy.exc.OperationalError when a lock is not
    had within 5 seconds; the revisions before stay applied, and the next call goes on from there.
    """
    engine = create_engine(owner_url, poolclass=NullPool)
    with engine.connect() as connection:
        with connection.begin():
            connection.execute(text("select pg_advisory_lock(:id)"), {"id": _ADVISORY_LOCK})
            connection.execute(text("set lock_timeout = '5s'"))
        applied = _apply(connection)
        with connection.begin():
            connection.execute(text("select pg_advisory_unlock(:id)"), {"id": _ADVISORY_LOCK})
    engine.dispose()
    return applied


def alembic_config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _apply(connection: Connection) -> list[str]:
    config = alembic_config(connection)
    before = _version(connection)
    connection.rollback()
    scripts = ScriptDirectory.from_config(config)
    applied: list[str] = []
    if before not in {None, *(script.revision for script in scripts.walk_revisions())}:
        return applied
    if before != scripts.get_current_head():
        config.attributes["applied"] = applied
        command.upgrade(config, "head")
    _apply_access(connection)
    # The first event must find its partition also where no other process has started yet.
    with connection.begin():
        connection.execute(text("select kernel.make_partitions(now())"))
    return applied


def _version(connection: Connection) -> str | None:
    if connection.scalar(text("select to_regclass('public.alembic_version')")) is None:
        return None
    return connection.scalar(text("select version_num from public.alembic_version"))


def _apply_access(connection: Connection) -> None:
    with connection.begin():
        current = connection.scalar(text("select value from kernel.schema_note where name = 'access'"))
        if current is None or int(current) < access.VERSION:
            access.apply(connection)
            connection.execute(_NOTE_ACCESS, {"value": str(access.VERSION)})
