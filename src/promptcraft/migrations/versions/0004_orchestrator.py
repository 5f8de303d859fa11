"""Executions by day, their texts, conversations and feedback."""

from alembic import op

revision = "0004_orchestrator"
down_revision = "0003_registry"

_EXECUTIONS = """
create table orchestrator.workflow_executions (
    org_id uuid not null,
    created_at timestamptz not null,
    id uuid not null,
    user_id uuid,
    session_id uuid not null,
    status text not null,
    agent_id text,
    agent_version text,
    environment text,
    routing_score double precision,
    candidates text not null,
    answered boolean not null,
    processing_time_ms integer,
    total_cost numeric,
    tokens bigint,
    steps text not null,
    steps_completed integer not null,
    security_issues_found integer,
    test_success_rate double precision,
    error text,
    error_code text,
    trace_id text,
    deadline timestamptz not null,
    finished_at timestamptz,
    constraint workflow_executions_pkey primary key (org_id, created_at, id),
    constraint ck_workflow_executions_status check (status in ('running', 'completed', 'failed', 'timed_out'))
) partition by range (created_at);
create index ix_workflow_executions_org_id_user_id on orchestrator.workflow_executions (org_id, user_id, created_at);
create index ix_workflow_executions_running on orchestrator.workflow_executions (deadline) where status = 'running';

create table orchestrator.execution_text (
    org_id uuid not null,
    created_at timestamptz not null,
    execution_id uuid not null,
    prompt text not null,
    answer text,
    citations text not null,
    constraint execution_text_pkey primary key (org_id, created_at, execution_id)
) partition by range (created_at);

insert into kernel.partitioned values
    ('orchestrator.workflow_executions', 'day', 7, null), ('orchestrator.execution_text', 'day', 7, null);
"""

_AROUND = """
create table orchestrator.conversation (
    org_id uuid not null,
    id uuid not null,
    user_id uuid,
    started_at timestamptz not null,
    last_execution_id uuid,
    last_agent text,
    constraint conversation_pkey primary key (org_id, id)
);

create table orchestrator.feedback (
    org_id uuid not null,
    execution_id uuid not null,
    user_id uuid not null,
    rating integer not null,
    comment text not null,
    given_at timestamptz not null default now(),
    constraint feedback_pkey primary key (org_id, execution_id, user_id),
    constraint ck_feedback_rating check (rating between 1 and 5)
);
"""


def upgrade() -> None:
    op.execute("create schema if not exists orchestrator")
    op.execute(_EXECUTIONS)
    op.execute(_AROUND)


def downgrade() -> None:
    op.execute("delete from kernel.partitioned where parent like 'orchestrator.%'")
    op.execute("drop schema orchestrator cascade")
