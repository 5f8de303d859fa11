"""Alembic's entry: runs the revisions on the connection that upgrade() holds, and notes which were applied."""

from typing import Any

from alembic import context

config: Any = context.config
applied: list[str] = config.attributes.get("applied", [])


def note(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    """Remember one revision that was applied."""
    applied.append(step.up_revision_id)


context.configure(connection=config.attributes["connection"], transaction_per_migration=True, on_version_apply=note)
with context.begin_transaction():
    context.run_migrations()
