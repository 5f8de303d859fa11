"""What an event costs: the throughput of a role grant with its event's INSERT against the same grant without it.

The grant's SQL is recorded as the service emits it and replayed by pgbench: prepared statements, row-level security,
32 clients; once as the disk is, once with 1.5 ms more for each flush (slowsync.c, built with cc; where there is none,
that half is left out and said). Beside it, through the service itself: CPU per call of `audit.record()`, by part, and
the ratio of throughputs. Prints one line of JSON last. `--seconds N` per run (default 5), `--rounds N` (default 3).
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from sqlalchemy import create_engine, event, text

from promptcraft.app.up.binaries import postgres_binaries
from promptcraft.app.up.servers import EmbeddedServers, embedded_servers
from promptcraft.audit import OrganisationSealer
from promptcraft.identity import add_user, found_organisation
from promptcraft.identity.service import directory
from promptcraft.kernel import audit
from promptcraft.kernel.actor import Actor, platform_actor
from promptcraft.kernel.audit import install_sealer
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.permissions import Permission, Role
from promptcraft.migrations import upgrade

# The package's name `record` is the function.
recording: Any = import_module("promptcraft.kernel.audit.record")
CLIENTS = 32
BARS = {"as_it_is": 0.55, "flush_1500us": 0.75}
GOALS = {"as_it_is": 0.7, "flush_1500us": 0.9}
RECORD_BAR_US = 150.0
_USERS_PER_CLIENT = 4_000
_FLUSH_US = 1_500
_EVENT_INSERT = re.compile(r"insert into audit\.event\b", re.IGNORECASE)
_PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Statement:
    """One statement of a transaction, as the driver was given it."""

    sql: str
    values: Mapping[str, Any]


def main() -> int:
    """Measure and print; exit status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="pc-bench-") as folder:
        data = Path(folder) / "data"
        with embedded_servers(data) as servers:
            upgrade(servers.urls.owner)
            grant, people = asyncio.run(_recorded(servers))
            result["replayed"] = {"as_it_is": _compare(servers, grant, people, arguments)}
            result["service"] = asyncio.run(_through_the_service(servers, people))
        slow = _slow_flushes(Path(folder))
        if slow:
            with embedded_servers(data, environment=slow) as servers:
                result["replayed"]["flush_1500us"] = _compare(servers, grant, people, arguments)
    return _report(result)


def _slow_flushes(folder: Path) -> dict[str, str] | None:
    """The environment in which PostgreSQL's flushes take longer; None where it cannot be built."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("no C compiler (cc): the half with slower flushes is left out", file=sys.stderr)
        return None
    library = folder / "slowsync.so"
    source = Path(__file__).with_name("slowsync.c")
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    library.chmod(0o755)
    folder.chmod(0o755)
    return {"LD_PRELOAD": str(library), "SLOWSYNC_US": str(_FLUSH_US)}


def _request() -> WorkContext:
    """A request as the API has it: its address and its client are sealed into the event."""
    request_id = str(new_id())
    return WorkContext(
        "api",
        request_id,
        request_id,
        "PUT",
        "/api/v4/admin/users/{user_id}/roles",
        "192.0.2.7",
        "pc-hybrid/0.1 (linux)",
    )


@dataclass(frozen=True)
class People:
    org_id: UUID
    administrator: Actor


async def _recorded(servers: EmbeddedServers) -> tuple[list[Statement], People]:
    """The statements of one role grant, from BEGIN to COMMIT, as they reach the driver."""
    install_sealer(OrganisationSealer(b"k" * 32))
    db = Database.connect(servers.urls.app, servers.urls.system)
    try:
        people, user_id = await _arrive(db)
        statements: list[Statement] = []

        def heard(_connection: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
            statements.append(Statement(sql, dict(values)))

        event.listen(db.app.sync_engine, "before_cursor_execute", heard)
        with enter(_request()):
            async with unit_of_work(db, people.administrator) as session:
                await directory.set_roles(session, people.administrator, user_id, [Role.VIEWER])
        event.remove(db.app.sync_engine, "before_cursor_execute", heard)
    finally:
        await db.dispose()
    if not any(_EVENT_INSERT.search(statement.sql) for statement in statements):
        raise SystemExit("the grant left no event: there is nothing to measure")
    return [_for_anybody(statement, user_id) for statement in statements], people


async def _arrive(db: Database) -> tuple[People, UUID]:
    """An organisation with its administrator, and somebody who has no role yet."""
    organisation = await found_organisation(db, "bench", "Bench")
    platform = platform_actor(org_id=organisation.id)
    administrator = await add_user(db, platform, "admin", "correct horse battery staple", roles=(Role.ADMIN,))
    user = await add_user(db, platform, "somebody", "correct horse battery staple")
    actor = Actor(organisation.id, administrator, new_id(), frozenset(Permission), str(new_id()), "admin")
    return People(organisation.id, actor), user


def _for_anybody(statement: Statement, user_id: UUID) -> Statement:
    """The statement with the one user's id and the rows' own ids replaced by expressions: each replay is another's."""
    values: dict[str, Any] = {}
    for name, value in statement.values.items():
        if value == user_id or str(value) == str(user_id):
            values[name] = _Expression(_USER)
        elif statement.sql.lower().startswith("insert") and _is_row_id(name):
            values[name] = _Expression("uuidv7()")
        elif name.startswith("occurred_at"):
            values[name] = _Expression("clock_timestamp()")
        else:
            values[name] = value
    return Statement(statement.sql, values)


def _is_row_id(name: str) -> bool:
    return re.fullmatch(r"(event_)?id(_m\d+)?", name) is not None


@dataclass(frozen=True)
class _Expression:
    sql: str


_USER = f"(lpad(to_hex(1000000 + :client_id * {_USERS_PER_CLIENT} + :turn), 32, '0'))::uuid"


def _compare(
    servers: EmbeddedServers, grant: list[Statement], people: People, arguments: argparse.Namespace
) -> dict[str, float]:
    """Medians of transactions a second, with the event and without, by turns."""
    _make_users(servers, people)
    bare = [statement for statement in grant if not _EVENT_INSERT.search(statement.sql)]
    rates: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(arguments.rounds):
        for name, statements in (("without", bare), ("with", grant)):
            _forget_grants(servers, people)
            rates[name].append(_replay(servers, statements, arguments.seconds))
    middle = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "with_per_s": round(middle["with"]),
        "without_per_s": round(middle["without"]),
        "ratio": round(middle["with"] / middle["without"], 3),
    }


def _make_users(servers: EmbeddedServers, people: People) -> None:
    with _as_superuser(servers) as run:
        run(
            "insert into identity.user_account select (jsonb_populate_record(u, jsonb_build_object("
            " 'id', lpad(to_hex(1000000 + n), 32, '0')::uuid, 'username', 'user-' || n))).*"
            " from identity.user_account u, generate_series(0, :users - 1) n"
            " where u.org_id = :org and u.username = 'somebody'"
            " on conflict do nothing",
            users=CLIENTS * _USERS_PER_CLIENT,
            org=people.org_id,
        )
        run("vacuum analyze identity.user_account")


def _forget_grants(servers: EmbeddedServers, people: People) -> None:
    with _as_superuser(servers) as run:
        run("delete from identity.role_binding where org_id = :org and role = 'viewer'", org=people.org_id)
        run("delete from identity.revocation")
        for table in ("identity.role_binding", "identity.revocation", "audit.event"):
            run(f"vacuum analyze {table}")
        run("checkpoint")


@contextmanager
def _as_superuser(servers: EmbeddedServers) -> Generator[Any]:
    engine = create_engine(servers.urls.superuser, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:

            def run(sql: str, **values: Any) -> None:
                connection.execute(text(sql), values)

            yield run
    finally:
        engine.dispose()


def _replay(servers: EmbeddedServers, statements: list[Statement], seconds: int) -> float:
    """Transactions a second of pgbench with these statements."""
    script, variables = _script(statements)
    url = re.fullmatch(r".*://(?P<user>\w+):(?P<password>[^@]+)@/(?P<name>\w+)\?host=(?P<host>.+)", servers.urls.app)
    assert url is not None
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        given = [option for name, value in variables.items() for option in ("-D", f"{name}={value}")]
        done = subprocess.run(
            [
                *(str(postgres_binaries() / "pgbench"), "--no-vacuum", "--protocol=prepared"),
                *("-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", file.name, "-D", "turn=0", *given),
                url["name"],
            ],
            env={**os.environ, "PGHOST": url["host"], "PGUSER": url["user"], "PGPASSWORD": url["password"]},
            capture_output=True,
            text=True,
            check=False,
        )
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    if done.returncode or rate is None or (failed and failed[1] != "0"):
        raise SystemExit(f"pgbench failed ({done.returncode}):\n{done.stdout}\n{done.stderr[-3000:]}")
    return float(rate[1])


def _script(statements: list[Statement]) -> tuple[str, dict[str, str]]:
    """pgbench's script of the transaction, and its variables."""
    lines = ["\\set turn :turn + 1", "begin;"]
    variables: dict[str, str] = {}
    for number, statement in enumerate(statements):

        def filled(match: re.Match[str], number: int = number, statement: Statement = statement) -> str:
            value = statement.values[match[1]]
            if isinstance(value, _Expression):
                return value.sql
            if value is None:
                return "null"
            name = f"p{number}_{match[1]}"
            variables[name] = _written(value)
            return f":{name}"

        sql = re.sub(r"(?<!:)::(\w)", r"::\1", statement.sql.replace("%%", "%"))
        lines.append(" ".join(_PARAMETER.sub(filled, sql).split()) + ";")
    return "\n".join([*lines, "commit;\n"]), variables


def _written(value: Any) -> str:
    if isinstance(value, list):
        return "{" + ",".join(map(_written, cast("list[Any]", value))) + "}"
    return str(value)


async def _through_the_service(servers: EmbeddedServers, people: People) -> dict[str, Any]:
    """CPU per call by part, and the ratio of grants a second with recording and without, 32 at a time."""
    db = Database.connect(servers.urls.app, servers.urls.system, pool_size=CLIENTS)
    try:
        with _timed() as parts:
            await _grants(db, people, 0)
        rates: dict[str, list[float]] = {"with": [], "without": []}
        for turn in range(3):
            _forget_grants(servers, people)
            rates["with"].append(await _grants(db, people, 2 * turn + 1))
            _forget_grants(servers, people)
            with _nothing_recorded():
                rates["without"].append(await _grants(db, people, 2 * turn + 2))
    finally:
        await db.dispose()
    own = [a + b for a, b in zip(parts["record"], parts["row"], strict=True)]
    return {
        "record_cpu_us_p50": round(statistics.median(own) / 1e3, 1),
        "ratio": round(statistics.median(rates["with"]) / statistics.median(rates["without"]), 3),
        "with_per_s": round(statistics.median(rates["with"])),
    }


async def _grants(db: Database, people: People, turn: int, each: int = 12) -> float:
    """Grants a second of 32 at a time, `each` for each of them."""

    async def one(client: int) -> None:
        for number in range(each):
            user = UUID(int=int(f"{1_000_000 + client * _USERS_PER_CLIENT + turn * each + number:x}", 16))
            with enter(_request()):
                async with unit_of_work(db, people.administrator) as session:
                    await directory.set_roles(session, people.administrator, user, [Role.VIEWER])

    began = time.perf_counter()
    await asyncio.gather(*(one(client) for client in range(CLIENTS)))
    return CLIENTS * each / (time.perf_counter() - began)


@contextmanager
def _nothing_recorded() -> Generator[None]:
    real = audit.record

    async def nothing(*_arguments: Any, **_values: Any) -> UUID:
        return new_id()

    audit.record = nothing
    try:
        yield
    finally:
        audit.record = real


@contextmanager
def _timed() -> Generator[dict[str, list[int]]]:
    """Nanoseconds of CPU of each call's parts: `record` (the call), and `row` (document, seals, bytes)."""
    parts: dict[str, list[int]] = {"record": [], "row": []}
    real_record, real_row = audit.record, recording._row

    async def record(*arguments: Any, **values: Any) -> UUID:
        began = time.thread_time_ns()
        try:
            # It never waits, so no other task's time is in this.
            return await real_record(*arguments, **values)
        finally:
            parts["record"].append(time.thread_time_ns() - began)

    def row(*arguments: Any) -> Any:
        began = time.thread_time_ns()
        try:
            return real_row(*arguments)
        finally:
            parts["row"].append(time.thread_time_ns() - began)

    audit.record, recording._row = record, row
    try:
        yield parts
    finally:
        audit.record, recording._row = real_record, real_row


def _report(result: dict[str, Any]) -> int:
    missed: list[str] = []
    print(f"a role grant, replayed by pgbench, {CLIENTS} clients: with its event against without")
    for name, found in result["replayed"].items():
        print(
            f"  {name:<13} {found['with_per_s']:>6} / {found['without_per_s']:>6} a second = {found['ratio']:.2f}"
            f"   (bar {BARS[name]}, goal {GOALS[name]})"
        )
        if found["ratio"] < BARS[name]:
            missed.append(name)
    service = result["service"]
    print(f"  audit.record() itself  {service['record_cpu_us_p50']:6.1f} us of CPU p50 (bar {RECORD_BAR_US:.0f})")
    print(f"  through the service    {service['with_per_s']} a second, {service['ratio']:.2f} of those without")
    if service["record_cpu_us_p50"] > RECORD_BAR_US:
        missed.append("record")
    print(json.dumps(result | {"missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
