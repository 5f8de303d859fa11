"""Jobs, the outbox, the audit log's table, and the functions that make and drop partitions."""

from alembic import op

revision = "0001_kernel"
down_revision = None

_JOBS = """
create table kernel.schema_note (name text primary key, value text not null);

create table kernel.job (
    org_id uuid not null,
    id uuid not null,
    kind text not null,
    state text not null,
    payload text not null,
    user_id uuid,
    session_id uuid,
    user_name text not null,
    permissions text not null,
    request_id text not null,
    correlation_id text not null,
    phase text not null,
    percentage integer not null,
    attempt integer not null,
    run_after timestamptz not null,
    lease_owner text,
    lease_until timestamptz,
    fencing_token bigint not null,
    error text,
    error_code text,
    next_step text,
    warnings text not null,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    constraint job_pkey primary key (org_id, id)
);
create unique index ix_job_id on kernel.job (id);
create index ix_job_due on kernel.job (run_after) where finished_at is null;
create index ix_job_org_id_kind on kernel.job (org_id, kind, created_at);

create table kernel.job_step (
    org_id uuid not null,
    job_id uuid not null,
    name text not null,
    position integer not null,
    state text not null,
    result text,
    error text,
    started_at timestamptz,
    finished_at timestamptz,
    constraint job_step_pkey primary key (org_id, job_id, name),
    constraint fk_job_step_org_id_job_id foreign key (org_id, job_id) references kernel.job (org_id, id)
);

create table kernel.standing_job (
    name text not null,
    run_after timestamptz not null,
    lease_owner text,
    lease_until timestamptz,
    fencing_token bigint not null,
    failures integer not null,
    error text,
    last_run_at timestamptz,
    constraint standing_job_pkey primary key (name)
);

create table kernel.outbox (
    org_id uuid not null,
    id uuid not null,
    topic text not null,
    payload text not null,
    written_at timestamptz not null,
    delivered_at timestamptz,
    attempts integer not null,
    retry_at timestamptz,
    error text,
    constraint outbox_pkey primary key (org_id, id)
);
create index ix_outbox_undelivered on kernel.outbox (org_id, id) where delivered_at is null;
"""

_AUDIT = """
create table audit.event (
    org_id uuid not null,
    event_id uuid not null,
    occurred_at timestamptz not null,
    retention_class text not null,
    xid xid8 not null default pg_current_xact_id(),
    catalogue_id integer not null,
    user_id uuid,
    session_id uuid,
    request_id text not null,
    canonical text not null,
    constraint event_pkey primary key (org_id, occurred_at, event_id, retention_class)
) partition by list (retention_class);
create table audit.event_standard partition of audit.event for values in ('standard') partition by range (occurred_at);
create table audit.event_hold partition of audit.event for values in ('hold') partition by range (occurred_at);

create function audit.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete on audit.event
    for each row execute function audit.refuse_change();
create trigger not_truncated before truncate on audit.event
    for each statement execute function audit.refuse_change();
"""

_PARTITIONS = """
create table kernel.partitioned (
    parent text primary key,
    period text not null check (period in ('day', 'month')),
    ahead integer not null,
    keep_days integer
);
insert into kernel.partitioned values
    ('audit.event_standard', 'month', 2, null), ('audit.event_hold', 'month', 2, null);

create function kernel.make_partitions(at timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    entry record; step interval; starts timestamptz; partition_name text; made integer := 0;
begin
    -- One at a time: processes that start together would make the same partition.
    lock table kernel.partitioned in share row exclusive mode;
    set local timezone = 'UTC';
    for entry in select * from kernel.partitioned loop
        step := ('1 ' || entry.period)::interval;
        -- One period back, for what was stamped just before midnight or by a clock a little behind.
        for number in -1 .. entry.ahead loop
            starts := date_trunc(entry.period, at) + number * step;
            partition_name := split_part(entry.parent, '.', 2) || '_' || to_char(starts, 'YYYYMMDD');
            if to_regclass(format('%I.%I', split_part(entry.parent, '.', 1), partition_name)) is null then
                execute format('create table %I.%I partition of %I.%I for values from (%L) to (%L)',
                    split_part(entry.parent, '.', 1), partition_name,
                    split_part(entry.parent, '.', 1), split_part(entry.parent, '.', 2), starts, starts + step);
                made := made + 1;
            end if;
        end loop;
    end loop;
    return made;
end $$;

create function kernel.drop_partitions(at timestamptz) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    entry record; child record; dropped integer := 0;
begin
    lock table kernel.partitioned in share row exclusive mode;
    set local timezone = 'UTC';
    for entry in select * from kernel.partitioned where keep_days is not null loop
        for child in
            select c.oid::regclass as name, to_date(right(c.relname, 8), 'YYYYMMDD') as starts
              from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = entry.parent::regclass and c.relname ~ '_[0-9]{8}$'
        loop
            if child.starts + ('1 ' || entry.period)::interval < at - make_interval(days => entry.keep_days) then
                execute format('drop table %s', child.name);
                dropped := dropped + 1;
            end if;
        end loop;
    end loop;
    return dropped;
end $$;

revoke all on function kernel.make_partitions(timestamptz), kernel.drop_partitions(timestamptz) from public;
grant execute on function kernel.make_partitions(timestamptz) to promptcraft_system;
grant execute on function kernel.drop_partitions(timestamptz) to promptcraft_system;
"""


def upgrade() -> None:
    op.execute("create schema kernel")
    op.execute("create schema audit")
    for statements in (_JOBS, _AUDIT, _PARTITIONS):
        op.execute(statements)


def downgrade() -> None:
    op.execute("drop schema kernel cascade")
    op.execute("drop schema audit cascade")
