"""kill -9 of everything at random, while people ask, create and call models through two API processes.

`python -m tests.e2e.storm --kills 200 --seed 7` prints what it did and what it found; the tests run a short one. What
it looks for is anything acknowledged that was lost, and anything at all that was doubled or left behind.
"""

import argparse
import asyncio
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from promptcraft.app.up.processes import Identity, identify, reap, spawn
from promptcraft.gateway.service import CLOSE_ORPHANS as CALLS_SWEPT
from promptcraft.orchestrator.service import CLOSE_ORPHANS as EXECUTIONS_SWEPT
from promptcraft_sdk.client import ClientError, api
from tests.app.processes import eventually
from tests.e2e.drill import ONCE, PATIENCE, QUESTION, Site, site
from tests.gateway.provider import LAST, USAGE, Exchange, FakeProvider, delta, running

_STEADY = "steady"
CHAT_PATH = "/api/v4/models/v1/chat/completions"
CHAT = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
# How often each is chosen; a supervisor takes everybody with it, so that each start of all costs most.
_TARGETS = {
    "API": 4, "second API": 4, "worker": 3, "second worker": 3, "job": 6, "runtime": 2, "PostgreSQL": 3, "Valkey": 3,
    "supervisor": 1,
}  # fmt: skip
_CHILDREN = {"API": "serve", "worker": "worker", "runtime": "runtime", "PostgreSQL": "postgres", "Valkey": "valkey"}
# What a person may be told while parts are away: anything else is a defect.
_EXPECTED_CODES = {"unavailable", "agent_unavailable", "agent_not_running", "timed_out", "execution_timed_out"}
_LONGEST_CALM = 20.0


@dataclass
class Ledger:
    """What people were told was done, and what they were told else."""

    executions: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    creations: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    refusals: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def acknowledged(self) -> int:
        return len(self.executions) + len(self.calls) + len(self.creations) + len(self.deleted)


@dataclass
class Second:
    """Another process of a role beside those of `up`, started by the test and started again when it was killed."""

    role: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def begin(self, environment: dict[str, str]) -> None:
        with self.log.open("ab") as log:
            self.process = spawn(
                [sys.executable, "-P", "-m", "promptcraft.app", *self.role],
                death_signal=signal.SIGKILL,
                output=log,
                environment=environment,
                directory=self.log.parent,
            )

    def identity(self) -> Identity | None:
        return identify(self.process.pid) if self.process and self.process.poll() is None else None

    def end(self) -> None:
        if self.process is not None:
            reap(self.process)
            self.process = None


@dataclass
class Storm:
    """One platform, the people who use it, and the one who kills it."""

    site: Site
    seed: int
    ledger: Ledger = field(default_factory=Ledger)
    addresses: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    key: str = ""
    how: Any = None

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.port = _free_port()
        logs = self.site.data.parent
        self.seconds = {
            "second API": Second(("serve", "--roles", "api"), logs / "second-api.log"),
            "second worker": Second(("worker",), logs / "second-worker.log"),
        }

    # --- the platform -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """The second processes, a key, and an agent that answers throughout."""
        self.key = self.site.client.send(api.create_api_key("storm")).key
        assert self.site.end_of(self.site.create(_STEADY)) == {_STEADY: "completed"}
        assert eventually(lambda: self.site.answers(_STEADY))
        self.start_seconds()

    def start_seconds(self) -> None:
        served = self.site.child("serve")
        given = Path(f"/proc/{served.pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
        environment = dict(entry.decode().split("=", 1) for entry in given) | {"PROMPTCRAFT_PORT": str(self.port)}
        self.environment = environment
        self.addresses = [self.site.up.where["url"], f"http://127.0.0.1:{self.port}"]
        for second in self.seconds.values():
            second.begin(environment)

    def end_seconds(self) -> None:
        for second in self.seconds.values():
            second.end()

    def wait_for_a_moment(self) -> None:
        """Some time after somebody was told that something was done: nothing is lost where nothing can be done."""
        before = self.ledger.acknowledged
        eventually(lambda: self.ledger.acknowledged > before + 2, _LONGEST_CALM)
        time.sleep(self.chance.uniform(0.0, 1.5))

    def kill_one(self) -> None:
        """Somebody who is alive; what the test started itself it starts again, the rest is the supervisor's."""
        for name, second in self.seconds.items():
            if second.identity() is None:
                # Nothing watches over it but this; `up` starts its own again, and so does whatever runs others.
                self.ledger.refusals[f"{name} ended by itself"] += 1
                second.begin(self.environment)
        while True:
            target = self.chance.choices(list(_TARGETS), list(_TARGETS.values()))[0]
            victim = self._victim(target)
            if victim is None:
                time.sleep(0.05)
                continue
            self.ledger.kills[target] += 1
            if target == "supervisor":
                self._kill_supervisor()
                return
            with suppress(ProcessLookupError):
                self.site.kill(victim)
            if target in self.seconds:
                self.seconds[target].end()
                self.seconds[target].begin(self.environment)
            return

    def _victim(self, target: str) -> Identity | None:
        if target in self.seconds:
            return self.seconds[target].identity()
        if target == "supervisor":
            return identify(self.site.up.process.pid)
        if target == "job":
            return self._at_work()
        with suppress(KeyError, OSError, ValueError):
            found = self.site.child(_CHILDREN[target])
            return found if found.alive() else None
        return None

    def _at_work(self) -> Identity | None:
        """A worker's child that holds a job, or else relays or sweeps."""
        held = (
            "select lease_owner from kernel.job where lease_until > clock_timestamp() union all"
            " select lease_owner from kernel.standing_job where lease_until > clock_timestamp()"
        )
        with suppress(psycopg.Error):
            owners = [row[0] for row in self.rows(held)]
            return identify(int(self.chance.choice(owners).rpartition(":")[2])) if owners else None
        return None

    def _kill_supervisor(self) -> None:
        self.end_seconds()
        self.site.up.process.kill()
        assert eventually(lambda: self.site.family() == []), self.site.family()
        self.site.up.process.communicate()
        self.site.begin()
        self.start_seconds()

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Asks the database over a connection of its own: any other may have been killed."""
        with psycopg.connect(self.site.superuser(), connect_timeout=5, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    # --- the people ---------------------------------------------------------------------------------------------------

    def people(self, makers: int) -> list[threading.Thread]:
        work: list[Callable[[httpx.Client, random.Random], None]] = [self._ask, self._ask, self._call, self._follow]
        work += [self._make] * makers
        threads = []
        for number, what in enumerate(work):
            mine = random.Random(f"{self.seed}/{number}")
            threads.append(threading.Thread(target=self._live, args=(what, mine), daemon=True))
        return threads

    def _live(self, what: Callable[[httpx.Client, random.Random], None], chance: random.Random) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(headers=headers, timeout=45, limits=httpx.Limits(max_keepalive_connections=0)) as client:
            while not self.over.is_set():
                try:
                    what(client, chance)
                except httpx.HTTPError as failure:
                    self.ledger.refusals[type(failure).__name__] += 1
                self.over.wait(chance.uniform(0.05, 0.3))

    def _at(self, chance: random.Random, path: str) -> str:
        return chance.choice(self.addresses) + path

    def _ask(self, client: httpx.Client, chance: random.Random) -> None:
        body = {"query": QUESTION, "agent": _STEADY, "time_limit_seconds": 10}
        answer = client.post(self._at(chance, "/api/v4/execute"), json=body)
        if self._accepted(answer, 200):
            self.ledger.executions.add(answer.json()["data"]["execution_id"])

    def _follow(self, client: httpx.Client, chance: random.Random) -> None:
        """Reads what was acknowledged a while ago: it must be there as soon as anybody is told anything."""
        known = list(self.ledger.executions)
        if known:
            one = chance.choice(known)
            answer = client.get(self._at(chance, f"/api/v4/executions/{one}"))
            if self._accepted(answer, 200) and answer.json()["data"]["status"] != "completed":
                self.ledger.surprises.append(f"execution {one} was acknowledged and is {answer.json()['data']}")

    def _call(self, client: httpx.Client, chance: random.Random) -> None:
        """A streamed model call; only one that came to its end was acknowledged."""
        address = self._at(chance, CHAT_PATH)
        with client.stream("POST", address, json=CHAT) as answer:
            content = answer.read()
        if self._accepted(answer, 200) and content.rstrip().endswith(b"data: [DONE]"):
            self.ledger.calls.add(answer.headers["x-request-id"])

    def _make(self, client: httpx.Client, chance: random.Random) -> None:
        """Makes an agent, waits for what becomes of it, and deletes it."""
        name = f"storm_{chance.randrange(10**9)}"
        accepted = client.post(self._at(chance, "/api/v4/admin/agents/create"), json=self.site.specification(name))
        if not self._accepted(accepted, 202):
            return
        creation = accepted.json()["data"]["creation_id"]
        self.ledger.creations[creation] = name
        while not self.over.is_set():
            with suppress(httpx.HTTPError):
                status = client.get(self._at(chance, f"/api/v4/admin/agents/creation/{creation}/status"))
                if self._accepted(status, 200) and status.json()["data"]["status"] in ("completed", "failed"):
                    break
            self.over.wait(0.5)
        while not self.over.is_set():
            with suppress(httpx.HTTPError):
                deletion = client.delete(self._at(chance, f"/api/v4/admin/agents/{name}"))
                if deletion.status_code in (204, 404):
                    self.ledger.deleted.add(name)
                    return
                self._accepted(deletion, 204)
            self.over.wait(0.5)

    def _accepted(self, answer: httpx.Response, status: int) -> bool:
        """Whether it was; a refusal is counted, one that the failure of a part does not explain is kept."""
        if answer.status_code == status:
            return True
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        code = problem.get("code") or problem.get("error", {}).get("code") or f"status {answer.status_code}"
        self.ledger.refusals[code] += 1
        told = answer.headers.get("retry-after") if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else "-"
        if code not in _EXPECTED_CODES or told is None:
            self.ledger.surprises.append(f"{answer.request.method} {answer.request.url.path}: {answer.text[:400]}")
        return False

    # --- afterwards ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything come to rest: what the dead left open is past its time, and the sweeps are due."""
        assert eventually(self._well, PATIENCE), f"not well again: {self.how}"
        assert eventually(self._nothing_under_way, PATIENCE), self._under_way()
        for name in {row[0] for row in self.rows("select name from agents.agent")} - {_STEADY}:
            with suppress(ClientError):
                self.site.client.send(api.delete_agent(name))
        assert eventually(self._nothing_under_way, PATIENCE), self._under_way()
        self.site.reconnect()

    def _well(self) -> bool:
        try:
            self.rows("select 1")
            self.how = {one: httpx.get(f"{one}/health").json() for one in self.addresses}
        except (httpx.HTTPError, psycopg.Error, ValueError) as failure:
            self.how = repr(failure)
            return False
        return all(health["status"] == "ok" for health in self.how.values())

    def _nothing_under_way(self) -> bool:
        for table in (_EXECUTIONS, "gateway.model_call"):
            self.rows(f"update {table} set deadline = deadline - interval '1 hour' where status = 'running'")  # noqa: S608  ours
        sweeps = [EXECUTIONS_SWEPT, CALLS_SWEPT]
        self.rows("update kernel.standing_job set run_after = now() where name = any(%s)", sweeps)
        time.sleep(0.5)
        return not any(self._under_way().values())

    def _under_way(self) -> dict[str, int]:
        questions = {
            "executions": "select count(*) from orchestrator.workflow_executions where status = 'running'",
            "model calls": "select count(*) from gateway.model_call where status = 'running'",
            "jobs": "select count(*) from kernel.job where finished_at is null",
            "facts": "select count(*) from kernel.outbox where delivered_at is null",
        }
        return {name: self.rows(question)[0][0] for name, question in questions.items()}

    def findings(self) -> list[str]:
        """Everything that should not be."""
        found = [*dict.fromkeys(self.ledger.surprises)]
        found += self._of_kind(_EXECUTIONS, "analytics.execution_fact", "execution_id", 4001, 4005)
        found += self._of_kind("gateway.model_call", "analytics.model_call_fact", "call_id", 10001, 10005)
        completed = {str(one) for (one,) in self.rows(_COMPLETED.format("id", _EXECUTIONS))}
        found += [f"execution {one} was acknowledged and lost" for one in self.ledger.executions - completed]
        answered = {one for (one,) in self.rows(_COMPLETED.format("request_id", "gateway.model_call"))}
        found += [f"model call of request {one} was acknowledged and lost" for one in self.ledger.calls - answered]
        return [*found, *self._of_creations()]

    def _of_kind(self, table: str, facts: str, key: str, first: int, last: int) -> list[str]:
        """One event and one fact each, and no fact or event of anything else."""
        ids = {str(row[0]) for row in self.rows(f"select id from {table}")}  # noqa: S608  names of ours, here and below
        told = Counter(str(row[0]) for row in self.rows(f"select {key} from {facts}"))  # noqa: S608  names of ours
        events = Counter(row[0] for row in self.rows(_EVENTS, first, last))
        found = []
        for what, counts in (("fact", told), ("event", events)):
            found += [f"{table} {one} has {counts[one]} {what}s" for one in ids if counts[one] != 1]
            found += [f"a {what} of {one}, which is not in {table}" for one in set(counts) - ids]
        return found

    def _of_creations(self) -> list[str]:
        jobs = {str(row[0]): row[1:] for row in self.rows("select id, state, error from kernel.job")}
        found = [f"creation {one} was acknowledged and lost" for one in set(self.ledger.creations) - set(jobs)]
        for creation, name in self.ledger.creations.items():
            state, error = jobs.get(creation, ("lost", ""))
            events = self.site.events(name)
            if state == "completed" and events != ONCE:
                found.append(f"creation of {name} completed with the events {events}")
            if state == "failed" and "gave up after " not in (error or ""):
                found.append(f"creation of {name} failed: {error}")
            if any(count != 1 for count in events.values()):
                found.append(f"{name} has the events {events}")
        self.ledger.refusals["creations given up"] = sum(
            jobs.get(creation, ("",))[0] == "failed" for creation in self.ledger.creations
        )
        if not eventually(lambda: self.site.traces() == self.site.expected_traces(), 60):
            found.append(f"left behind: {self.site.traces() ^ self.site.expected_traces()}")
        if any(count != 1 for table, count in self.site.rows().items() if table != "registry.tool"):
            found.append(f"of one agent there are {self.site.rows()}")
        if not eventually(lambda: self.site.answers(_STEADY), 60):
            found.append(f"{_STEADY} does not answer any more")
        return found


_EXECUTIONS = "orchestrator.workflow_executions"
_COMPLETED = "select {} from {} where status = 'completed'"
_EVENTS = (
    "select canonical::json #>> '{action,resource_id}' from audit.event where catalogue_id between %s and %s"
    # what was refused or failed before there was an execution names no resource
    " and canonical::json #>> '{action,resource_id}' is not null"
)


async def _takes_its_time(exchange: Exchange) -> None:
    """Streams its answer over a second, so that there is a middle of the call to be killed in."""
    await exchange.start(200, "text/event-stream")
    for text in "Hello":
        await exchange.event(delta(text))
        await asyncio.sleep(0.2)
    await exchange.event(LAST)
    await exchange.event({"id": "c1", "model": "gpt-4o", "choices": [], "usage": USAGE})
    await exchange.event(b"[DONE]")
    await exchange.part(b"", more=False)


@contextmanager
def slow_provider() -> Iterator[str]:
    """The address of a provider that serves in a thread of its own."""
    provider, ready, over = FakeProvider(otherwise=_takes_its_time), threading.Event(), threading.Event()

    async def serve() -> None:
        async with running(provider):
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield provider.address
    finally:
        over.set()
        thread.join()


def storm(kills: int, seed: int, *, makers: int = 2, say: Callable[[str], None] = print) -> list[str]:
    """Kill so often on a platform of its own, and give what was found; `say` is told what was done."""
    with slow_provider() as provider, site(**with_models(provider)) as platform:
        found = rage(platform, kills, seed, makers=makers, say=say)
        platform.remove(_STEADY)
        return found


def rage(platform: Site, kills: int, seed: int, *, makers: int, say: Callable[[str], None] = print) -> list[str]:
    """The same on this platform, of which the agents that it has in the end are left."""
    began = time.monotonic()
    raging = Storm(platform, seed)
    raging.prepare()
    people = raging.people(makers)
    for person in people:
        person.start()
    try:
        for number in range(kills):
            raging.wait_for_a_moment()
            raging.kill_one()
            if number % 10 == 9:
                say(f"{time.monotonic() - began:6.0f} s  {number + 1} kills  {_done(raging.ledger)}")
        raging.over.set()
        for person in people:
            person.join(60)
        raging.settle()
        found = raging.findings()
    finally:
        raging.over.set()
        raging.end_seconds()
    say(f"killed: {dict(raging.ledger.kills)}")
    say(f"acknowledged: {_done(raging.ledger)}")
    say(f"told meanwhile: {dict(raging.ledger.refusals)}")
    say(f"{time.monotonic() - began:.0f} s; found: {found or 'nothing lost, nothing doubled, nothing left behind'}")
    return found


def with_models(provider: str) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": f"{provider}/openai/v1",
        "OPENAI_API_KEY": "key-of-the-storm",
        "PROMPTCRAFT_MODEL_PRIVATE_NETWORKS": "127.0.0.0/8",
    }


def _done(ledger: Ledger) -> str:
    made = f"{len(ledger.creations)} creations, {len(ledger.deleted)} agents deleted"
    return f"{len(ledger.executions)} executions, {len(ledger.calls)} model calls, {made}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    given = parser.parse_args()

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    say(f"seed {given.seed}: the same kills again with --seed {given.seed}")
    return 1 if storm(given.kills, given.seed, say=say) else 0


if __name__ == "__main__":
    sys.exit(main())
