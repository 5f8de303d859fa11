"""The identity schema."""

from alembic import op

revision = "0002_identity"
down_revision = "0001_kernel"


def upgrade() -> None:
    op.execute("create schema if not exists identity")


def downgrade() -> None:
    op.execute("drop schema identity cascade")
