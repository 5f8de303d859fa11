"""Providers of models, what organisations allow of them, and each call by month; analytics' facts of calls."""

from alembic import op

revision = "0011_gateway"
down_revision = "0007_agents"

_TABLES = r"""
create schema gateway;

create table gateway.provider (
    org_id uuid not null,
    id uuid not null,
    name text not null constraint ck_provider_name check (name ~ '^[a-z][a-z0-9_-]{0,39}$'),
    kind text not null constraint ck_provider_kind check (kind in ('openai', 'azure')),
    base_url text not null,
    api_version text,
    models text not null,
    priority integer not null,
    enabled boolean not null,
    sealed_key text not null,
    created_at timestamptz not null,
    key_changed_at timestamptz not null,
    constraint provider_pkey primary key (org_id, id),
    constraint uq_provider_org_id_name unique (org_id, name),
    constraint fk_provider_org_id foreign key (org_id) references identity.organisation (org_id)
);

create table gateway.policy (
    org_id uuid not null,
    policy text not null,
    changed_at timestamptz not null,
    constraint policy_pkey primary key (org_id),
    constraint fk_policy_org_id foreign key (org_id) references identity.organisation (org_id)
);

create table gateway.model_call (
    org_id uuid not null,
    created_at timestamptz not null,
    id uuid not null,
    user_id uuid,
    agent text,
    execution_id uuid,
    model text not null,
    provider text,
    status text not null constraint ck_model_call_status check
        (status in ('running', 'completed', 'failed', 'timed_out', 'disconnected', 'abandoned')),
    streamed boolean not null,
    attempts integer not null,
    input_tokens bigint,
    cached_tokens bigint,
    output_tokens bigint,
    cost numeric,
    first_byte_ms integer,
    duration_ms integer,
    error_code text,
    error text,
    request_id text not null,
    deadline timestamptz not null,
    finished_at timestamptz,
    constraint model_call_pkey primary key (org_id, created_at, id)
) partition by range (created_at);
create index ix_model_call_running on gateway.model_call (org_id, deadline) where status = 'running';
create index ix_model_call_execution on gateway.model_call (org_id, execution_id) where execution_id is not null;

create table analytics.model_call_fact (
    org_id uuid not null,
    created_at timestamptz not null,
    call_id uuid not null,
    user_id uuid,
    agent text,
    execution_id uuid,
    model text not null,
    status text not null,
    input_tokens bigint,
    output_tokens bigint,
    cost numeric,
    constraint model_call_fact_pkey primary key (org_id, created_at, call_id)
) partition by range (created_at);

insert into kernel.partitioned values
    ('gateway.model_call', 'month', 2, null), ('analytics.model_call_fact', 'month', 2, null);
"""


def upgrade() -> None:
    op.execute(_TABLES)


def downgrade() -> None:
    op.execute("delete from kernel.partitioned where parent in ('gateway.model_call', 'analytics.model_call_fact')")
    op.execute("drop table analytics.model_call_fact")
    op.execute("drop schema gateway cascade")
