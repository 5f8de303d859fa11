"""Organisations, users, groups, role bindings, sessions, signing keys, counters of login attempts."""

from alembic import op

revision = "0002_identity"
down_revision = "0001_kernel"

_PEOPLE = """
create table identity.organisation (
    org_id uuid not null,
    slug text not null,
    name text not null,
    active boolean not null,
    created_at timestamptz not null,
    constraint organisation_pkey primary key (org_id),
    constraint uq_organisation_slug unique (slug),
    constraint ck_organisation_slug check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$')
);

-- A username is unique over all organisations: people sign in by it before the organisation is known.
create table identity.user_account (
    org_id uuid not null,
    id uuid not null,
    username text not null,
    display_name text not null,
    active boolean not null,
    created_at timestamptz not null,
    constraint user_account_pkey primary key (org_id, id),
    constraint uq_user_account_username unique (username),
    constraint fk_user_account_org_id foreign key (org_id) references identity.organisation (org_id)
);

create table identity.password (
    org_id uuid not null,
    user_id uuid not null,
    hash text not null,
    changed_at timestamptz not null,
    constraint password_pkey primary key (org_id, user_id),
    constraint fk_password_org_id foreign key (org_id, user_id) references identity.user_account (org_id, id)
);

create table identity.user_group (
    org_id uuid not null,
    id uuid not null,
    name text not null,
    created_at timestamptz not null,
    constraint user_group_pkey primary key (org_id, id),
    constraint uq_user_group_org_id unique (org_id, name),
    constraint fk_user_group_org_id foreign key (org_id) references identity.organisation (org_id)
);

create table identity.group_member (
    org_id uuid not null,
    group_id uuid not null,
    user_id uuid not null,
    constraint group_member_pkey primary key (org_id, group_id, user_id),
    constraint fk_group_member_org_id_group_id
        foreign key (org_id, group_id) references identity.user_group (org_id, id),
    constraint fk_group_member_org_id_user_id
        foreign key (org_id, user_id) references identity.user_account (org_id, id)
);
create index ix_group_member_user_id on identity.group_member (org_id, user_id);

create table identity.role_binding (
    org_id uuid not null,
    id uuid not null,
    role text not null,
    user_id uuid,
    group_id uuid,
    created_at timestamptz not null,
    constraint role_binding_pkey primary key (org_id, id),
    constraint uq_role_binding_org_id unique nulls not distinct (org_id, role, user_id, group_id),
    constraint ck_role_binding_subject check (num_nonnulls(user_id, group_id) = 1),
    constraint fk_role_binding_org_id_user_id
        foreign key (org_id, user_id) references identity.user_account (org_id, id),
    constraint fk_role_binding_org_id_group_id
        foreign key (org_id, group_id) references identity.user_group (org_id, id)
);
"""

_SESSIONS = """
create table identity.session (
    org_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    credential_hash bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    constraint session_pkey primary key (org_id, id),
    constraint uq_session_credential_hash unique (credential_hash),
    constraint fk_session_org_id foreign key (org_id, user_id) references identity.user_account (org_id, id)
);
create index ix_session_user_id on identity.session (org_id, user_id);

-- The platform's own rows (org_id is the nil UUID): a key seen under any organisation could sign for all.
create table identity.signing_key (
    org_id uuid not null,
    kid text not null,
    algorithm text not null,
    state text not null,
    public_jwk text not null,
    sealed_private_key text not null,
    created_at timestamptz not null,
    constraint signing_key_pkey primary key (org_id, kid),
    constraint ck_signing_key_state check (state in ('current', 'next', 'retired'))
);
create unique index uq_signing_key_state on identity.signing_key (org_id, algorithm, state) where state <> 'retired';

create table identity.login_attempt (
    key bytea not null,
    count integer not null,
    expires_at timestamptz not null,
    constraint login_attempt_pkey primary key (key)
);
create index ix_login_attempt_expires_at on identity.login_attempt (expires_at);
"""


def upgrade() -> None:
    op.execute("create schema if not exists identity")
    op.execute(_PEOPLE)
    op.execute(_SESSIONS)


def downgrade() -> None:
    op.execute("drop schema identity cascade")
