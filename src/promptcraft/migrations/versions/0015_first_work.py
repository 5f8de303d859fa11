"""The relay is on the record before any worker was there.

Workers put their periodic work there as they start. Where the database was away at that moment they try again with the
next message, and none would ever come while nothing is due.
"""

from alembic import op

revision = "0015_first_work"
down_revision = "0014_offboarding"


def upgrade() -> None:
    op.execute(
        "insert into kernel.standing_job (name, run_after, fencing_token, failures)"
        " values ('outbox.relay', clock_timestamp(), 0, 0) on conflict do nothing"
    )


def downgrade() -> None:
    """It stays: workers of the version before put it there, too."""
