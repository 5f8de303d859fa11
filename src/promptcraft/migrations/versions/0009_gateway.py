"""Providers of models, what organisations allow of them, and each call by month; analytics' facts of calls."""

from alembic import op

revision = "0009_gateway"
down_revision = "0008_credentials"

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

-- One round trip before a call is made: counts what is under way, and writes the call down where there is room. It runs
-- as its caller, under row-level security in the organisation that it sets.
create function gateway.begin_call(
    org uuid, began timestamptz, call uuid, for_user uuid, for_agent text, for_execution uuid, called text,
    is_streamed boolean, request text, ends timestamptz, most_calls integer, most_tokens bigint
) returns text language plpgsql as $$
begin
    perform set_config('app.org_id', org::text, true);
    if (select count(*) from gateway.model_call
         where org_id = org and status = 'running' and deadline > began and created_at > began - interval '1 hour')
       >= most_calls then
        return 'calls';
    end if;
    if most_tokens is not null and
       (select coalesce(sum(input_tokens + output_tokens), 0) from gateway.model_call
         where org_id = org and created_at > began - interval '1 minute') >= most_tokens then
        return 'tokens';
    end if;
    insert into gateway.model_call (
        org_id, created_at, id, user_id, agent, execution_id, model, status, streamed, attempts, request_id, deadline)
    values (org, began, call, for_user, for_agent, for_execution, called, 'running', is_streamed, 0, request, ends)
    on conflict do nothing;  -- sent again over another connection
    return 'begun';
end $$;

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
