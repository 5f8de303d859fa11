"""An organisation that leaves: the job that offboards it, and when it was closed."""

from alembic import op

revision = "0014_offboarding"
down_revision = "0013_agent_updates"


def upgrade() -> None:
    op.execute("alter table identity.organisation add column offboarding_id uuid, add column closed_at timestamptz")


def downgrade() -> None:
    op.execute("alter table identity.organisation drop column offboarding_id, drop column closed_at")
