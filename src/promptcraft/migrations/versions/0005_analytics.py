"""Facts of analytics: executions, their ratings, what agents' processes used, what their gates found."""

from alembic import op

revision = "0005_analytics"
down_revision = "0004_orchestrator"

_FACTS = """
create table analytics.execution_fact (
    org_id uuid not null,
    created_at timestamptz not null,
    execution_id uuid not null,
    finished_at timestamptz not null,
    user_id uuid,
    agent text,
    status text not null,
    response_time_ms double precision,
    model_cost numeric not null,
    constraint execution_fact_pkey primary key (org_id, created_at, execution_id)
) partition by range (created_at);
create index ix_execution_fact_org_id_finished_at on analytics.execution_fact (org_id, finished_at);

create table analytics.execution_rating (
    org_id uuid not null,
    execution_id uuid not null,
    user_id uuid not null,
    rating integer not null,
    rated_at timestamptz not null,
    constraint execution_rating_pkey primary key (org_id, execution_id, user_id)
);

create table analytics.runtime_usage (
    org_id uuid not null,
    ended_at timestamptz not null,
    instance_id uuid not null,
    agent text not null,
    cpu_seconds numeric not null,
    gib_seconds numeric not null,
    constraint runtime_usage_pkey primary key (org_id, ended_at, instance_id)
) partition by range (ended_at);

create table analytics.agent_evaluation (
    org_id uuid not null,
    agent text not null,
    questions integer not null,
    answered_right integer not null,
    evaluated_at timestamptz not null,
    constraint agent_evaluation_pkey primary key (org_id, agent)
);

insert into kernel.partitioned values
    ('analytics.execution_fact', 'month', 2, null), ('analytics.runtime_usage', 'month', 2, null);
"""


def upgrade() -> None:
    op.execute("create schema if not exists analytics")
    op.execute(_FACTS)


def downgrade() -> None:
    op.execute("delete from kernel.partitioned where parent like 'analytics.%'")
    op.execute("drop schema analytics cascade")
