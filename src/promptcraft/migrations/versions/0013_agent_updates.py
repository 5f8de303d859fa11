"""Versions know what their gate found and whether they were edited; agents, when their knowledge is read again."""

from alembic import op

revision = "0013_agent_updates"
down_revision = "0010_agent_index"


def upgrade() -> None:
    op.execute(
        """
        alter table agents.version
            add column questions integer not null default 0,
            add column answered_right integer not null default 0,
            add column edited boolean not null default false
        """
    )
    op.execute("alter table agents.agent add column refresh_at timestamptz")
    op.execute("create index agent_refresh_at on agents.agent (refresh_at) where refresh_at is not null")


def downgrade() -> None:
    op.execute("alter table agents.agent drop column refresh_at")
    op.execute("alter table agents.version drop column questions, drop column answered_right, drop column edited")
