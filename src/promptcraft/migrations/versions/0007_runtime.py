"""The runtime schema."""

from alembic import op

revision = "0007_runtime"
down_revision = "0006_analytics"


def upgrade() -> None:
    op.execute("create schema if not exists runtime")


def downgrade() -> None:
    op.execute("drop schema runtime cascade")
