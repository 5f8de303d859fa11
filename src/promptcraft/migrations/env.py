"""Alembic's entry: runs the revisions on the connection that upgrade() holds."""

from typing import Any

from alembic import context

config: Any = context.config
connection = config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
