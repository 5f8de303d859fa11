"""Agents, their versions, and uploaded knowledge."""

from alembic import op

revision = "0007_agents"
down_revision = "0006_runtime"

_TABLES = r"""
create schema agents;

create table agents.agent (
    org_id uuid not null,
    id uuid not null,
    name text not null constraint ck_agent_name check (name ~ '^[a-z][a-z0-9_]{1,39}[a-z0-9]$'),
    domain text not null,
    stage text not null constraint ck_agent_stage check (stage in ('building', 'built', 'deploying', 'deployed')),
    version integer not null,
    "order" text not null,
    created_by uuid,
    created_at timestamptz not null,
    constraint agent_pkey primary key (org_id, id),
    constraint agent_org_id_name_key unique (org_id, name)
);

create table agents.version (
    org_id uuid not null,
    agent_id uuid not null,
    number integer not null,
    commit text not null,
    tree_sha256 text not null,
    documents integer not null,
    passages integer not null,
    built_at timestamptz not null,
    constraint version_pkey primary key (org_id, agent_id, number),
    constraint fk_version_org_id_agent_id foreign key (org_id, agent_id)
        references agents.agent (org_id, id) on delete cascade
);

create table agents.upload (
    org_id uuid not null,
    sha256 text not null,
    documents integer not null,
    bytes integer not null,
    uploaded_by uuid,
    uploaded_at timestamptz not null,
    constraint upload_pkey primary key (org_id, sha256)
);
"""


def upgrade() -> None:
    op.execute(_TABLES)


def downgrade() -> None:
    op.execute("drop schema agents cascade")
