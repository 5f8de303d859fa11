"""The revisions make what the tables say, and can be taken back."""

import importlib
import pkgutil

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

import promptcraft
from promptcraft.kernel.db import Base
from promptcraft.migrations import upgrade
from promptcraft.migrations.access import VERSION
from promptcraft.migrations.upgrade import alembic_config

NOT_MAPPED = {"schema_note", "partitioned"}


def import_every_table() -> None:
    for module in pkgutil.walk_packages(promptcraft.__path__, "promptcraft."):
        if ".tables" in module.name or module.name.startswith("promptcraft.kernel."):
            importlib.import_module(module.name)


def is_ours(item, name, kind, reflected, _compare_to):
    partition = kind == "table" and reflected and name.rpartition("_")[2].isdecimal()
    return not (partition or (kind == "table" and (name in NOT_MAPPED or name.startswith("event_"))))


def test_tables_in_the_code_are_the_tables_in_the_database(urls):
    import_every_table()
    engine = create_engine(urls.owner, poolclass=NullPool)
    with engine.connect() as connection:
        partitions = set(connection.scalars(text("select relname from pg_class where relispartition")))

        def ours(item, name, kind, reflected, compare_to):
            return name not in partitions and is_ours(item, name, kind, reflected, compare_to)

        options = {"include_schemas": True, "include_object": ours, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        differences = [d for d in compare_metadata(context, Base.metadata) if "alembic_version" not in str(d)]

    assert [str(d) for d in differences if not _index_only(d)] == []


def _index_only(difference) -> bool:
    """Indexes, uniqueness and defaults are the revisions' business; the mapping needs tables and columns."""
    return isinstance(difference, tuple) and difference[0] in {
        "remove_index", "add_index", "remove_constraint", "add_constraint", "remove_fk", "add_fk",
    }  # fmt: skip


def test_schema_can_be_taken_back_and_made_again(servers):
    clone = servers.new_database("up_and_down", template="promptcraft")
    engine = create_engine(clone.owner, poolclass=NullPool)
    with engine.connect() as connection:
        command.downgrade(alembic_config(connection), "base")
        left = connection.scalars(text("select nspname from pg_namespace where nspname !~ '^(pg_|information|public)'"))
        assert list(left) == []
        connection.commit()

    assert len(upgrade(clone.owner)) == len(list(_revisions()))
    assert upgrade(clone.owner) == []
    servers.drop_database("up_and_down")


def test_an_older_version_leaves_a_newer_database_as_it_is(servers):
    clone = servers.new_database("newer", template="promptcraft")
    engine = create_engine(clone.owner, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("update public.alembic_version set version_num = '9999_newer'"))
        connection.execute(text("update kernel.schema_note set value = :v"), {"v": str(VERSION + 1)})
        connection.execute(text("grant delete on kernel.job_step to promptcraft_app"))

    assert upgrade(clone.owner) == []

    with engine.begin() as connection:
        granted = "select has_table_privilege('promptcraft_app', 'kernel.job_step', 'delete')"
        assert connection.scalar(text(granted))
        connection.execute(text("update public.alembic_version set version_num = :v"), {"v": _head()})
    assert upgrade(clone.owner) == []
    with engine.begin() as connection:
        assert connection.scalar(text(granted))
    servers.drop_database("newer")


def _head():
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def _revisions():
    return ScriptDirectory.from_config(alembic_config()).walk_revisions()
