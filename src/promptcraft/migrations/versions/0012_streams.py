"""An execution can be cancelled."""

from alembic import op

revision = "0012_streams"
down_revision = "0011_idempotency"

_TABLE = "orchestrator.workflow_executions"
_NAME = "ck_workflow_executions_status"


def upgrade() -> None:
    _allow("'running', 'completed', 'failed', 'timed_out', 'cancelled'")


def downgrade() -> None:
    op.execute("update orchestrator.workflow_executions set status = 'failed' where status = 'cancelled'")
    _allow("'running', 'completed', 'failed', 'timed_out'")


def _allow(states: str) -> None:
    op.execute(f"alter table {_TABLE} drop constraint {_NAME}")
    op.execute(f"alter table {_TABLE} add constraint {_NAME} check (status in ({states}))")
