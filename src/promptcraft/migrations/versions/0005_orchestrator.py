"""The orchestrator schema."""

from alembic import op

revision = "0005_orchestrator"
down_revision = "0004_registry"


def upgrade() -> None:
    op.execute("create schema if not exists orchestrator")


def downgrade() -> None:
    op.execute("drop schema orchestrator cascade")
