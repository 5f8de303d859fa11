"""Versions know what their gate found and whether they were edited; agents, when their knowledge is read again."""

from alembic import op

revision = "0013_agent_updates"
down_revision = "0012_streams"


_STAGES = "'building', 'built', 'deploying', 'deployed'"


def _stages(known: str) -> None:
    op.execute("alter table agents.agent drop constraint ck_agent_stage")
    op.execute(f"alter table agents.agent add constraint ck_agent_stage check (stage in ({known}))")


def upgrade() -> None:
    _stages(f"{_STAGES}, 'revising'")
    op.execute(
        """
        alter table agents.version
            add column questions integer not null default 0,
            add column answered_right integer not null default 0,
            add column edited boolean not null default false
        """
    )
    op.execute(
        """
        create table agents.refresh (
            org_id uuid not null,
            agent_id uuid not null,
            due_at timestamptz not null,
            constraint refresh_pkey primary key (org_id, agent_id),
            constraint refresh_org_id_agent_id_fkey foreign key (org_id, agent_id)
                references agents.agent (org_id, id) on delete cascade
        )
        """
    )
    op.execute("create index refresh_due_at on agents.refresh (due_at)")


def downgrade() -> None:
    _stages(_STAGES)
    op.execute("drop table agents.refresh")
    op.execute("alter table agents.version drop column questions, drop column answered_right, drop column edited")
