"""Which role may do what with which table, and the row-level security that holds it (design §3.4).

Applied whole where it is newer than what the database has. Grants are on parents only: one on a partition would go
round its parent's policy.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

# One more with every change of what is applied; a test compares them. An older version leaves a newer one's rules.
VERSION = 3
OWNER, APP, SYSTEM = "promptcraft_owner", "promptcraft_app", "promptcraft_system"


@dataclass(frozen=True, slots=True)
class Access:
    """Privileges of the two roles. `tenant` tables have `org_id` and show `app` its own organisation's rows only."""

    app: str
    system: str = ""
    tenant: bool = True


READ, ADD, CHANGE, REMOVE = "SELECT", "INSERT", "UPDATE", "DELETE"
READ_ADD = "SELECT, INSERT"
READ_ADD_CHANGE = "SELECT, INSERT, UPDATE"
ALL = "SELECT, INSERT, UPDATE, DELETE"

TABLES: dict[str, Access] = {
    "kernel.job": Access(app=READ_ADD_CHANGE, system="SELECT, UPDATE"),
    "kernel.job_step": Access(app=READ_ADD_CHANGE),
    "kernel.standing_job": Access(app="", system=READ_ADD_CHANGE, tenant=False),
    "kernel.outbox": Access(app=READ_ADD_CHANGE, system="SELECT, DELETE"),
    "kernel.idempotency_key": Access(app=READ_ADD_CHANGE, system="SELECT, DELETE"),
    "audit.event": Access(app=READ_ADD, system=READ),
    # `system` looks people up by name or session credential, before their organisation is known.
    "identity.organisation": Access(app=READ_ADD_CHANGE, system=READ),
    "identity.user_account": Access(app=READ_ADD_CHANGE, system=READ),
    "identity.password": Access(app=ALL),
    "identity.user_group": Access(app=ALL),
    "identity.group_member": Access(app=ALL),
    "identity.role_binding": Access(app=ALL),
    "identity.session": Access(app=READ_ADD_CHANGE, system=READ),
    "identity.session_credential": Access(app=ALL, system=READ),
    "identity.api_key": Access(app=READ_ADD_CHANGE, system=READ),
    "identity.second_factor": Access(app=ALL),
    "identity.recovery_code": Access(app=ALL),
    "identity.invitation": Access(app=ALL, system=READ),
    "identity.revocation": Access(app=READ_ADD, system="SELECT, DELETE"),
    "identity.signing_key": Access(app=READ_ADD_CHANGE),
    "identity.login_attempt": Access(app="", system=ALL, tenant=False),
    "analytics.execution_fact": Access(app=READ_ADD),
    "analytics.execution_rating": Access(app=READ_ADD_CHANGE),
    "analytics.runtime_usage": Access(app=READ_ADD),
    "analytics.agent_evaluation": Access(app=READ_ADD_CHANGE),
    "runtime.instance": Access(app=ALL, system="SELECT, UPDATE"),
    "runtime.host": Access(app="", system=READ_ADD_CHANGE, tenant=False),
    "registry.server": Access(app=ALL),
    "registry.tool": Access(app=ALL),
    "registry.revision": Access(app=READ_ADD_CHANGE),
    "orchestrator.workflow_executions": Access(app=READ_ADD_CHANGE, system=READ),
    "orchestrator.execution_text": Access(app=ALL),
    "orchestrator.conversation": Access(app=READ_ADD_CHANGE),
    "orchestrator.feedback": Access(app=READ_ADD_CHANGE),
    "agents.agent": Access(app=ALL),
    "agents.version": Access(app=ALL),
    # `system` finds the agents of every organisation whose sources are due to be read again.
    "agents.refresh": Access(app=ALL, system=READ),
    "agents.upload": Access(app=READ_ADD),
    "gateway.provider": Access(app=ALL),
    "gateway.policy": Access(app=READ_ADD_CHANGE),
    # `system` finds what a dead process left running.
    "gateway.model_call": Access(app=READ_ADD_CHANGE, system=READ),
    "analytics.model_call_fact": Access(app=READ_ADD),
}

# The tables that `system` sees across organisations; a test pins this list.
SYSTEM_TABLES: dict[str, str] = {name: access.system for name, access in TABLES.items() if access.system}


def apply(connection: Connection) -> None:
    """Grant and restrict as above; what an earlier version granted is taken back first."""
    schemas = sorted({name.partition(".")[0] for name in TABLES})
    for schema in schemas:
        connection.execute(text(f"grant usage on schema {schema} to {APP}, {SYSTEM}"))
        connection.execute(text(f"revoke all on all tables in schema {schema} from {APP}, {SYSTEM}"))
    for name, access in TABLES.items():
        for role, privileges in ((APP, access.app), (SYSTEM, access.system)):
            if privileges:
                connection.execute(text(f"grant {privileges} on {name} to {role}"))
        _restrict(connection, name, access)


def _restrict(connection: Connection, name: str, access: Access) -> None:
    connection.execute(text(f"alter table {name} enable row level security"))
    for policy in ("organisation", "platform"):
        connection.execute(text(f"drop policy if exists {policy} on {name}"))
    if access.app:
        own = "org_id = (select current_setting('app.org_id'))::uuid" if access.tenant else "true"
        connection.execute(text(f"create policy organisation on {name} to {APP} using ({own}) with check ({own})"))
    if access.system:
        connection.execute(text(f"create policy platform on {name} to {SYSTEM} using (true) with check (true)"))
