"""Requests that may be sent twice."""

from alembic import op

revision = "0011_idempotency"
down_revision = "0010_agent_index"


def upgrade() -> None:
    op.execute(
        """
        create table kernel.idempotency_key (
            org_id uuid not null,
            user_id uuid not null,
            key bytea not null,
            fingerprint bytea not null,
            resource uuid,
            status integer,
            location text,
            answer text,
            sealed_by text,
            expires_at timestamptz not null,
            constraint idempotency_key_pkey primary key (org_id, user_id, key)
        )
        """
    )
    op.execute("create index ix_idempotency_key_expires_at on kernel.idempotency_key (expires_at)")


def downgrade() -> None:
    op.execute("drop table kernel.idempotency_key")
