"""The index of a version grows: vectors of its passages, a calibration."""

from alembic import op

revision = "0010_agent_index"
down_revision = "0009_gateway"


def upgrade() -> None:
    op.execute(
        """
        alter table agents.version
            add column index_version integer not null default 1,
            add column index_commit text,
            add column index_job uuid,
            add column vectors integer not null default 0
        """
    )


def downgrade() -> None:
    op.execute(
        "alter table agents.version drop column index_version, drop column index_commit, "
        "drop column index_job, drop column vectors"
    )
