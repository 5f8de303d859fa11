"""Who may touch which table, asked of a database that was just made."""

from hashlib import sha256

import pytest
from sqlalchemy import create_engine, create_mock_engine, text

from promptcraft.migrations import SYSTEM_TABLES, access
from promptcraft.migrations.access import TABLES

# What is applied, of the present version. Another digest needs another version, or no database would get the change.
APPLIED = (3, "f8a7550f40aaa351a7dfd0908cd8c7c8142da37c26aa96be57841031e7dcd509")
# What `system` sees across organisations. A new row here widens what one role may reach: say why in the commit.
PINNED = {
    "kernel.job": "SELECT, UPDATE",  # leases
    "kernel.standing_job": "SELECT, INSERT, UPDATE",  # periodic work has no organisation
    "kernel.outbox": "SELECT, DELETE",  # which organisations have facts waiting; forgetting delivered ones
    "kernel.idempotency_key": "SELECT, DELETE",  # forgetting what is a day old
    "audit.event": "SELECT",  # sequencing
    "orchestrator.workflow_executions": "SELECT",  # what a dead process left running is found across organisations
    "identity.organisation": "SELECT",  # who signs in is looked up by name or session, before the organisation is known
    "identity.user_account": "SELECT",
    "identity.session": "SELECT",
    "identity.session_credential": "SELECT",
    "identity.api_key": "SELECT",
    "identity.invitation": "SELECT",
    "identity.revocation": "SELECT, DELETE",  # every process hears of what is revoked in any organisation
    "identity.login_attempt": "SELECT, INSERT, UPDATE, DELETE",  # attempts by names that belong to nobody
    "agents.refresh": "SELECT",  # agents of every organisation whose sources are due to be read again
    "gateway.model_call": "SELECT",  # what a dead process left running
    "runtime.instance": "SELECT, UPDATE",  # one runtime runs the agents of every organisation of its host
    "runtime.host": "SELECT, INSERT, UPDATE",  # hosts have no organisation
}
# Changes of these are nobody's deed: each says why no audit event is owed. All other tables are governed.
OPERATIONAL = {
    "kernel.job": "how far work is; what was asked for is audited where it was asked",
    "kernel.job_step": "likewise",
    "kernel.standing_job": "when periodic work ran last",
    "kernel.outbox": "facts on their way, deleted once delivered",
    "kernel.idempotency_key": "what a request was answered, committed with its change, whose event it is",
    "audit.event": "the log itself",
    "identity.login_attempt": "counters of the throttle; each attempt is an event of its own",
    "identity.session_credential": "issued with a login or a renewal, each of which is an event",
    "identity.revocation": "tells processes of a change that is an event of its own",
    "runtime.host": "a lease, and what the host's runtime found at its start, which is an event",
    "analytics.execution_fact": "derived from the outbox, can be derived again",
    "analytics.execution_rating": "likewise",
    "analytics.runtime_usage": "likewise",
    "analytics.agent_evaluation": "likewise",
    "analytics.model_call_fact": "likewise",
    "agents.refresh": "when sources are read next; each reading is asked for by an event",
    "registry.tool": "part of its server's registration, whose event names it",
    "registry.revision": "a counter that tells caches to look again",
    "orchestrator.execution_text": "the texts of an execution, whose outcome is an event",
    "orchestrator.conversation": "groups executions, each of which is an event",
}
GOVERNED = {
    "identity.signing_key", "identity.second_factor", "identity.recovery_code",
    "identity.organisation", "identity.user_account", "identity.password", "identity.user_group",
    "identity.group_member", "identity.role_binding", "identity.session", "identity.api_key", "identity.invitation",
    "runtime.instance", "registry.server", "orchestrator.workflow_executions", "orchestrator.feedback",
    "agents.agent", "agents.version", "agents.upload",
    "gateway.provider", "gateway.policy", "gateway.model_call",
}  # fmt: skip
NO_ROLE_TOUCHES = {"kernel.schema_note", "kernel.partitioned", "public.alembic_version"}


@pytest.fixture(scope="module")
def owner(urls):
    engine = create_engine(urls.owner)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_system_sees_the_tables_of_this_list_and_no_other():
    assert SYSTEM_TABLES == PINNED


def test_rules_that_change_have_another_version():
    statements: list[str] = []
    access.apply(create_mock_engine("postgresql+psycopg://", lambda statement, *_: statements.append(str(statement))))

    assert (access.VERSION, sha256("\n".join(statements).encode()).hexdigest()) == APPLIED


def test_every_table_is_governed_or_says_why_it_owes_no_event():
    assert set(OPERATIONAL) | GOVERNED == set(TABLES)
    assert set(OPERATIONAL) & GOVERNED == set()


def test_every_table_says_who_may_touch_it(owner):
    tables = owner.scalars(
        text("""
            select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^(pg_|information_schema)'
        """)
    )

    assert set(tables) == set(TABLES) | NO_ROLE_TOUCHES


def test_every_tenant_table_is_bound_to_the_organisation_of_the_transaction(owner):
    policies = owner.execute(
        text("select schemaname || '.' || tablename as name, qual, with_check from pg_policies where :r = any(roles)"),
        {"r": "promptcraft_app"},
    ).all()
    bound = {row.name for row in policies if "app.org_id" in row.qual and "app.org_id" in row.with_check}

    assert bound == {name for name, access in TABLES.items() if access.tenant and access.app}
    unprotected = owner.scalars(
        text("""
            select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'p') and not c.relispartition and not c.relrowsecurity
        """)
    )
    assert set(unprotected) & set(TABLES) == set()


def test_no_partition_is_granted_as_that_would_go_round_its_parents_policy(owner):
    granted = owner.scalars(
        text("""
            select c.oid::regclass::text from pg_class c
             where c.relispartition and c.relacl::text ~ 'promptcraft_(app|system)'
        """)
    )

    assert list(granted) == []


def test_the_application_owns_nothing_and_goes_round_nothing(owner):
    roles = owner.execute(
        text("select rolname, rolsuper, rolbypassrls from pg_roles where rolname ~ '^promptcraft_(app|system)$'")
    ).all()
    owned = owner.scalar(
        text("select count(*) from pg_class where relowner::regrole::text ~ '^promptcraft_(app|system)$'")
    )

    assert sorted(roles) == [("promptcraft_app", False, False), ("promptcraft_system", False, False)]
    assert owned == 0
