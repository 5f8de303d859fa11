"""What shall run, and the hosts that run it."""

from alembic import op

revision = "0006_runtime"
down_revision = "0005_analytics"

_TABLES = """
create table runtime.instance (
    org_id uuid not null,
    id uuid not null,
    name text not null,
    version text not null,
    environment text not null,
    code text not null,
    python text not null,
    argv text not null,
    variables text not null,
    limits text not null,
    restart_policy text not null,
    trusted_template boolean not null,
    desired text not null,
    generation integer not null,
    created_at timestamptz not null,
    host text,
    observed text not null,
    observed_generation integer not null,
    socket text,
    pid integer,
    restarts integer not null,
    exit_code integer,
    last_error text,
    started_at timestamptz,
    healthy_at timestamptz,
    constraint instance_pkey primary key (org_id, id),
    constraint uq_instance_org_id_name_environment_version unique (org_id, name, environment, version),
    constraint ck_instance_environment check (environment in ('production', 'staging', 'development')),
    constraint ck_instance_desired check (desired in ('running', 'removed')),
    constraint ck_instance_restart_policy check (restart_policy in ('unless-stopped', 'always', 'no')),
    constraint ck_instance_observed
        check (observed in ('pending', 'starting', 'healthy', 'unhealthy', 'failed', 'stopped'))
);
create index ix_instance_host on runtime.instance (host);

create table runtime.host (
    name text not null,
    place text not null,
    lease_owner uuid not null,
    lease_until timestamptz not null,
    started_at timestamptz not null,
    report text not null,
    constraint host_pkey primary key (name)
);
"""


def upgrade() -> None:
    op.execute("create schema if not exists runtime")
    op.execute(_TABLES)


def downgrade() -> None:
    op.execute("drop schema runtime cascade")
