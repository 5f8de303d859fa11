"""The audit schema."""

revision = "0003_audit"
down_revision = "0002_identity"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
