"""Session credentials that are used once, API keys, invitations, second factors, and what was revoked of late."""

from alembic import op

revision = "0008_credentials"
down_revision = "0007_agents"

_CREDENTIALS = """
create table identity.session_credential (
    org_id uuid not null,
    hash bytea not null,
    session_id uuid not null,
    issued_at timestamptz not null,
    used_at timestamptz,
    constraint session_credential_pkey primary key (org_id, hash),
    constraint fk_session_credential_org_id foreign key (org_id, session_id) references identity.session (org_id, id)
);
create index ix_session_credential_session_id on identity.session_credential (org_id, session_id);

insert into identity.session_credential (org_id, hash, session_id, issued_at)
    select org_id, credential_hash, id, created_at from identity.session;
alter table identity.session drop column credential_hash;
-- The old column's constraint had this name.
alter table identity.session_credential add constraint uq_session_credential_hash unique (hash);

alter table identity.session add column second_factor boolean not null default false;

create table identity.second_factor (
    org_id uuid not null,
    user_id uuid not null,
    sealed_secret bytea not null,
    last_step bigint not null,
    created_at timestamptz not null,
    confirmed_at timestamptz,
    constraint second_factor_pkey primary key (org_id, user_id),
    constraint fk_second_factor_org_id foreign key (org_id, user_id) references identity.user_account (org_id, id)
);

create table identity.recovery_code (
    org_id uuid not null,
    user_id uuid not null,
    hash bytea not null,
    constraint recovery_code_pkey primary key (org_id, user_id, hash),
    constraint fk_recovery_code_org_id foreign key (org_id, user_id) references identity.user_account (org_id, id)
);

alter table identity.signing_key add column retired_at timestamptz;

create table identity.api_key (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    name text not null,
    hint text not null,
    hash bytea not null,
    permissions text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    last_used_at timestamptz,
    revoked_at timestamptz,
    constraint api_key_pkey primary key (org_id, id),
    constraint uq_api_key_hash unique (hash),
    constraint fk_api_key_org_id foreign key (org_id, user_id) references identity.user_account (org_id, id)
);
create index ix_api_key_user_id on identity.api_key (org_id, user_id);

-- One a user: a new one takes the place of the one before.
create table identity.invitation (
    org_id uuid not null,
    user_id uuid not null,
    hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint invitation_pkey primary key (org_id, user_id),
    constraint uq_invitation_hash unique (hash),
    constraint fk_invitation_org_id foreign key (org_id, user_id) references identity.user_account (org_id, id)
);

-- Every process reads what is new here; kept for longer than any access token lasts.
create table identity.revocation (
    org_id uuid not null,
    id uuid not null,
    kind text not null,
    subject uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint revocation_pkey primary key (org_id, id),
    constraint ck_revocation_kind check (kind in ('token', 'session', 'api_key', 'user', 'organisation'))
);
create index ix_revocation_created_at on identity.revocation (created_at);
create index ix_revocation_subject on identity.revocation (org_id, subject);
"""


def upgrade() -> None:
    op.execute(_CREDENTIALS)


def downgrade() -> None:
    for table in ("recovery_code", "second_factor", "revocation", "invitation", "api_key", "session_credential"):
        op.execute(f"drop table identity.{table}")
    op.execute("alter table identity.session drop column second_factor")
    op.execute("alter table identity.signing_key drop column retired_at")
    op.execute("alter table identity.session add column credential_hash bytea unique")
