"""A platform whose parts are killed at chosen moments.

A creation is held inside one of its steps by a gate in the database: a trigger, installed here and unknown to the
platform, that waits for a lock of the test's own before the step's new state is written.
"""

import hashlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from promptcraft.app.up.datadir import DataDirectory, read_state
from promptcraft.app.up.processes import Identity, identify
from promptcraft.kernel.audit.catalogue.agents import AGENT_BUILT, AGENT_DEPLOYED
from promptcraft.kernel.audit.catalogue.registry import SERVER_REGISTERED
from promptcraft.kernel.outbox import RELAY
from promptcraft_sdk.client import ApiError, Client, api
from promptcraft_sdk.client.schemas import Progress
from tests.agents.conftest import packed
from tests.app.processes import Running, all_gone, descendants, eventually, start

BUILD = ("validate", "render", "ingest", "tests", "verify", "repository")
STEPS = (*BUILD, "start", "healthy", "contract", "register", "route")
QUESTION = "When is the quarterly VAT return due?"
HANDBOOK = Path(__file__).parents[1] / "agents" / "handbook"
# A lease runs out, the sweep finds the job, and a busy machine does the rest of it.
PATIENCE = 240.0
# What is recorded once of an agent that was made once.
ONCE = {AGENT_BUILT.id: 1, SERVER_REGISTERED.id: 1, AGENT_DEPLOYED.id: 1}
_LOCK = 7
_GATES = """
create schema drill;
create table drill.gate (key serial primary key, subject text not null, moment text not null);
create function drill.subject_of(job_id uuid) returns text language sql security definer as $$
    select payload::json #>> '{spec,name}' from kernel.job where id = job_id
$$;
create function drill.wait() returns trigger language plpgsql security definer as $$
declare found_key integer; asked text; moment_reached text;
begin
    if tg_table_name = 'job_step' then
        asked := drill.subject_of(new.job_id); moment_reached := new.name || ' ' || new.state;
    else
        asked := 'outbox'; moment_reached := new.topic;
    end if;
    select key into found_key from drill.gate where subject = asked and moment = moment_reached;
    if found then perform pg_advisory_xact_lock(7, found_key); end if;
    return new;
end $$;
create trigger drill before update of state on kernel.job_step for each row execute function drill.wait();
create trigger drill before update of delivered_at on kernel.outbox for each row execute function drill.wait();
grant usage on schema drill to public;
"""
_ROWS = ("agents.agent", "agents.version", "registry.server", "registry.tool", "runtime.instance")


@dataclass
class Gate:
    """Holds whoever comes to this moment, from its making until it is opened."""

    database: psycopg.Connection[Any]
    key: int

    def reached(self) -> bool:
        waiting = "select 1 from pg_locks where locktype = 'advisory' and classid = %s and objid = %s and not granted"
        return self.database.execute(waiting, (_LOCK, self.key)).fetchone() is not None

    def forget(self) -> None:
        """Hold nobody who comes from now on; whoever waits already goes on waiting."""
        self.database.execute("delete from drill.gate where key = %s", (self.key,))

    def open(self) -> None:
        self.forget()
        self.database.execute("select pg_advisory_unlock(%s, %s)", (_LOCK, self.key))


@dataclass
class Creation:
    """An agent on its way, made to be held."""

    name: str
    id: UUID


@dataclass
class Site:
    """A data directory on which the platform is started, killed, and started again."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    up: Running = field(init=False)
    client: Client = field(init=False)
    database: psycopg.Connection[Any] = field(init=False)
    administrator: dict[str, str] = field(init=False)
    source: str = field(init=False)
    starts: int = 0

    def begin(self) -> None:
        """`up`, for the first time or again."""
        self.starts += 1
        options = ["--port", "0", "--data-dir", str(self.data), "-o", "json"]
        command = ["-P", "-m", "promptcraft.app", "up", *options]
        self.up = start(command, self.data.parent / f"up-{self.starts}.log", self.environment)
        assert self.up.where, self.up.talk
        self.administrator = self.up.where["administrator"] or self.administrator
        self.client = Client(self.up.where["url"])
        self.client.sign_in(self.administrator["username"], self.administrator["password"])
        self.reconnect()
        if self.starts == 1:
            self.database.execute(_GATES)
            self.source = self.client.send(api.upload_knowledge(packed(HANDBOOK / "vat"), compressed=True)).source

    def reconnect(self) -> None:
        """Speak to the database again, after it was away."""
        self.database = psycopg.connect(self.superuser(), autocommit=True)

    def superuser(self) -> str:
        """Where the database is, as nobody of the platform but its supervisor knows it."""
        password = DataDirectory(self.data).secret("db-superuser")
        return psycopg.conninfo.make_conninfo(
            host=self.state()["sockets"], user="postgres", password=password, dbname="promptcraft"
        )

    def state(self) -> dict[str, Any]:
        return read_state(DataDirectory(self.data))

    def child(self, name: str) -> Identity:
        """The living process of this role."""
        found = self.state()["children"][name]
        return Identity(found["pid"], found["started"])

    # --- creations ----------------------------------------------------------------------------------------------------

    def create(self, name: str, source: str | None = None, kind: str = "markdown") -> Creation:
        return Creation(name, self.client.send(api.create_agent(self.specification(name, source, kind))).creation_id)

    def specification(self, name: str, source: str | None = None, kind: str = "markdown") -> dict[str, Any]:
        return {
            "agent_spec": {
                "name": name,
                "domain": "finance",
                "description": f"Answers questions about VAT as {name}.",
                "keywords": ["vat"],
                "knowledge_sources": [{"type": kind, "source": source or self.source}],
            },
            "deployment_config": {"auto_deploy": True, "resource_limits": {"memory": "256M"}},
        }

    def gate(self, subject: str, moment: str) -> Gate:
        """Hold the creation of this agent at "STEP STATE", or "outbox" at a topic, once it comes there."""
        row = self.database.execute(
            "insert into drill.gate (subject, moment) values (%s, 'not yet') returning key", (subject,)
        ).fetchone()
        assert row
        self.database.execute("select pg_advisory_lock(%s, %s)", (_LOCK, row[0]))
        self.database.execute("update drill.gate set moment = %s where key = %s", (moment, row[0]))
        return Gate(self.database, row[0])

    def steps(self, creation: Creation) -> dict[str, str]:
        rows = self.database.execute("select name, state from kernel.job_step where job_id = %s", (creation.id,))
        return dict(rows.fetchall())

    def holder(self, creation: Creation) -> Identity:
        """The process that runs this creation."""
        row = self.database.execute("select lease_owner from kernel.job where id = %s", (creation.id,)).fetchone()
        found = identify(int(row[0].rpartition(":")[2])) if row and row[0] else None
        assert found, f"nobody holds {creation.name}"
        return found

    def relay(self) -> Identity:
        """The process that relays facts."""
        query = "select lease_owner from kernel.standing_job where name = %s"
        row = self.database.execute(query, (RELAY,)).fetchone()
        found = identify(int(row[0].rpartition(":")[2])) if row and row[0] else None
        assert found, "nobody relays"
        return found

    def progress(self, creation: Creation) -> Progress:
        return self.client.send(api.creation(creation.id))

    def over(self, creation: Creation) -> bool:
        """Whether it has ended, one way or the other; asked of the database, which costs the platform least."""
        ended = "select 1 from kernel.job where id = %s and finished_at is not null"
        return self.database.execute(ended, (creation.id,)).fetchone() is not None

    def end_of(self, *creations: Creation) -> dict[str, str]:
        """How each creation ended: completed, or failed with the phase, and what was said of it."""
        eventually(lambda: all(map(self.over, creations)), PATIENCE)
        return {each.name: _told(self.progress(each)) for each in creations}

    # --- what there is ------------------------------------------------------------------------------------------------

    def answers(self, name: str) -> bool:
        """Whether the agent answers with a citation."""
        try:
            answer = self.client.send(api.execute(QUESTION, agent=name))
        except ApiError:
            return False
        return answer.answered and [each.file for each in answer.citations][:1] == ["returns.md"]

    def events(self, name: str) -> dict[int, int]:
        """How often each thing that counts was recorded of an agent."""
        rows = self.database.execute(
            "select catalogue_id, count(*) from audit.event where catalogue_id = any(%s)"
            " and canonical::json #>> '{action,resource_id}' = %s group by 1",
            (list(ONCE), name),
        )
        return dict(rows.fetchall())

    def rows(self) -> dict[str, int]:
        found = {table: self.database.execute(f"select count(*) from {table}").fetchone() for table in _ROWS}  # noqa: S608  names of ours
        return {table: row[0] for table, row in found.items() if row and row[0]}

    def traces(self) -> set[str]:
        """Every directory, socket and control group that creations and agents leave on this host."""
        places = ["workspaces", *(f"runtime/{kind}" for kind in ("programs", "programs-sockets"))]
        places += ["runtime/commands", "runtime/commands-sockets"]
        found = {f"{place}/{path.name}" for place in places for path in _inside(self.data / place)}
        for agent in (agent for org in _inside(self.data / "agents") for agent in _inside(org)):
            inside = [agent, *_inside(agent), *_inside(agent / "versions")]
            found |= {f"agents/{path.relative_to(agent.parent)}" for path in inside}
        found |= {f"cgroup/{path.name}" for path in self._groups()}
        return {path for path in found if not path.endswith(("/runtime.lock", "/empty"))}

    def expected_traces(self) -> set[str]:
        """What agents that run are entitled to: one directory each; two sockets, a sandbox and a group per instance."""
        agents = self.database.execute("select id from agents.agent").fetchall()
        instances = self.database.execute("select id from runtime.instance").fetchall()
        files = ("", "/repository.git", "/versions", "/versions/1")
        expected = {f"agents/{row[0]}{file}" for row in agents for file in files}
        for (instance,) in instances:
            sockets = ("", ".sock", ".models")
            expected |= {f"runtime/programs-sockets/{instance}{each}" for each in sockets}
            expected |= {f"cgroup/{instance}"} if self._groups() else set()
        return expected

    def sandboxes(self) -> list[int]:
        """Every bubblewrap that any process of this platform ever started and that still is."""
        return [pid for pid in self.family() if _command(pid).startswith("bwrap") and not _in_sandbox(pid)]

    def family(self) -> list[int]:
        """Every process that has to do with this data directory, whoever its parent is."""
        word = self.data.name.encode()
        pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
        return [pid for pid in pids if pid != os.getpid() and word in _belongings(pid, self._group_names())]

    def _group_names(self) -> dict[bytes, bytes]:
        names = {}
        for kind in ("programs", "commands"):
            directory = (self.data / "runtime" / kind).resolve()
            digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
            names[f"promptcraft-{digest}".encode()] = self.data.name.encode()
        return names

    def _groups(self) -> list[Path]:
        return [path for home in self.control_groups() for path in _inside(home) if path.is_dir()]

    def control_groups(self) -> list[Path]:
        """Those that the runtime and the worker's children make their programs' groups in."""
        names = {name.decode() for name in self._group_names()}
        # other tests' groups come and go meanwhile, which os.walk takes as it comes
        return [Path(place, name) for place, below, _ in os.walk("/sys/fs/cgroup") for name in names & set(below)]

    # --- killing ------------------------------------------------------------------------------------------------------

    def kill(self, who: Identity) -> None:
        """kill -9; everything that it had started must be gone before this returns."""
        below = descendants(who.pid)
        os.kill(who.pid, signal.SIGKILL)
        assert all_gone([who, *below]), f"a killed process left others behind: {_described(who, *below)}"

    def remove(self, *names: str) -> None:
        """Delete agents as a person would, and wait until nothing more is done about them."""
        for name in names:
            self.client.send(api.delete_agent(name))
        unfinished = "select 1 from kernel.job where finished_at is null"
        assert eventually(lambda: self.database.execute(unfinished).fetchone() is None, PATIENCE)
        assert eventually(lambda: not self.traces(), PATIENCE), self.traces()
        assert self.rows() == {}


@contextmanager
def site(within: Path | None = None, **environment: str) -> Iterator[Site]:
    """A platform in a directory of its own, whose path is short enough for sockets."""
    place = Path(tempfile.mkdtemp(prefix="drill-", dir=within))
    drilled = Site(place / place.name, environment)
    try:
        drilled.begin()
        yield drilled
        assert drilled.up.end() == 0
        assert drilled.family() == []
        assert drilled.traces() == set()
        assert drilled.control_groups() == [], drilled._group_names()
    finally:
        drilled.up.process.kill()
        drilled.up.process.communicate()
        shutil.rmtree(place, ignore_errors=True)


def _told(progress: Progress) -> str:
    if progress.status == "completed":
        return "completed"
    return f"{progress.status} at {progress.phase}: {progress.error_code}: {progress.error}"


def _inside(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _command(pid: int) -> str:
    return _read(pid, "comm").decode().strip()


def _described(*processes: Identity) -> list[str]:
    """What those of them that live are and wait for."""
    facts = [[_read(each.pid, fact) for fact in ("stat", "wchan", "cmdline")] for each in processes if each.alive()]
    return [b" ".join(each).replace(b"\0", b" ").decode(errors="replace") for each in facts]


def _in_sandbox(pid: int) -> bool:
    """bubblewrap's own process 1 of a sandbox, as opposed to the one outside that made it."""
    return len(_read(pid, "status").partition(b"NSpid:")[2].partition(b"\n")[0].split()) > 1


def _belongings(pid: int, aliases: dict[bytes, bytes]) -> bytes:
    """All that says whose a process is; control groups under names that stand for the data directory."""
    groups = _read(pid, "cgroup")
    for alias, name in aliases.items():
        groups = groups.replace(alias, name)
    try:
        directory = os.readlink(f"/proc/{pid}/cwd").encode()
    except OSError:
        directory = b""
    return b"\n".join((_read(pid, "cmdline"), _read(pid, "environ"), _read(pid, "mountinfo"), groups, directory))


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
