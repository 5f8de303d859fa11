"""The analytics schema."""

from alembic import op

revision = "0006_analytics"
down_revision = "0005_orchestrator"


def upgrade() -> None:
    op.execute("create schema if not exists analytics")


def downgrade() -> None:
    op.execute("drop schema analytics cascade")
