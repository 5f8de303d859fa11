"""The agents schema."""

from alembic import op

revision = "0008_agents"
down_revision = "0007_runtime"


def upgrade() -> None:
    op.execute("create schema if not exists agents")


def downgrade() -> None:
    op.execute("drop schema agents cascade")
