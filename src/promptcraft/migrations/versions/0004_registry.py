"""The registry schema."""

from alembic import op

revision = "0004_registry"
down_revision = "0003_audit"


def upgrade() -> None:
    op.execute("create schema if not exists registry")


def downgrade() -> None:
    op.execute("drop schema registry cascade")
