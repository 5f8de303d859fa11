"""Registered servers and their tools."""

from alembic import op

revision = "0003_registry"
down_revision = "0002_identity"

_TABLES = """
create table registry.server (
    org_id uuid not null,
    name text not null,
    environment text not null,
    kind text not null,
    version text not null,
    display_name text not null,
    description text not null,
    domain text not null,
    keywords text[] not null,
    knowledge_terms text[] not null,
    instance_id uuid,
    endpoint text not null,
    status text not null,
    registered_at timestamptz not null,
    constraint server_pkey primary key (org_id, name, environment),
    constraint ck_server_name check (name ~ '^[a-z][a-z0-9_]{2,40}$'),
    constraint ck_server_kind check (kind in ('agent', 'mcp_server')),
    constraint ck_server_environment check (environment in ('production', 'staging', 'development')),
    constraint ck_server_status check (status in ('running', 'stopped'))
);

create table registry.tool (
    org_id uuid not null,
    server text not null,
    environment text not null,
    name text not null,
    position integer not null,
    description text not null,
    input_schema text not null,
    output_schema text,
    constraint tool_pkey primary key (org_id, server, environment, name),
    constraint fk_tool_org_id_server_environment foreign key (org_id, server, environment)
        references registry.server (org_id, name, environment) on delete cascade
);

create table registry.revision (
    org_id uuid not null,
    number bigint not null,
    constraint revision_pkey primary key (org_id)
);
"""


def upgrade() -> None:
    op.execute("create schema if not exists registry")
    op.execute(_TABLES)


def downgrade() -> None:
    op.execute("drop schema registry cascade")
