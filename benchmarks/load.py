"""200 people at once over two API processes: no error but the intended ones, flat memory, and the figures by route.

Everybody has an account and a login of their own, asks one of the two processes, thinks for two seconds on average and
does something else: ask an agent, look at lists and insights, renew the login, sign in again, and in one of ten cases
something that must be refused. `make load SECONDS=600` is the measurement; times are of the client, which shares the
machine. Memory is the resident size of each process, its slope taken over the last two thirds of the time. Prints one
line of JSON last; exit status 1 after any answer that was not intended, or memory that grows.
"""

import argparse
import asyncio
import io
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from promptcraft_sdk.client import Client, api

GUIDES = Path(__file__).parents[1] / "docs" / "guides"
AGENT = "guide"
QUESTIONS = (
    "How do I stop the platform?",
    "How do I sign in?",
    "What does insights show?",
    "How is an agent deployed?",
)
THINK_SECONDS = 2.0
# MB a minute that a process may grow by, over ten minutes; below a measurement of five it is printed alone.
FLAT = 0.5
_LONG_ENOUGH = 300
_ARRIVING = 6
_PASSWORD = "as long as it has to be"  # noqa: S105  of accounts that end with this run
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Figures:
    """Milliseconds by what was done, and every answer that was not intended."""

    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    counting: bool = False


@dataclass
class User:
    """One person: their account, their process of the two, and what they do by turns."""

    name: str
    client: httpx.AsyncClient
    figures: Figures
    chance: random.Random
    session: str = ""
    asked: str = ""

    async def live(self, until: float) -> None:
        await asyncio.sleep(self.chance.uniform(0, THINK_SECONDS))
        actions, weights = zip(*_ACTIONS, strict=True)
        while time.monotonic() < until:
            action = self.chance.choices(actions, weights)[0]
            await action(self)
            await asyncio.sleep(self.chance.uniform(0, 2 * THINK_SECONDS))

    async def do(self, what: str, method: str, path: str, expected: int, body: Any = None, **more: Any) -> Any:
        began = time.perf_counter()
        try:
            answer = await self.client.request(method, path, json=body, **more)
        except httpx.HTTPError as failure:
            self.figures.errors[f"{what}: {type(failure).__name__}"] += 1
            return None
        if self.figures.counting:
            self.figures.taken[what].append((time.perf_counter() - began) * 1000)
        if answer.status_code != expected:
            self.figures.errors[f"{what}: {answer.status_code} {answer.text[:160]}"] += 1
            return None
        return answer.json() if answer.content else None

    def _signed(self, told: Any) -> None:
        if told is not None:
            self.session = told["session"]
            self.client.headers["Authorization"] = f"Bearer {told['access_token']}"

    async def sign_in(self) -> None:
        credentials = {"username": self.name, "password": _PASSWORD}
        self._signed(await self.do("sign in", "POST", "/auth/token", 200, credentials))

    async def renew(self) -> None:
        self._signed(await self.do("renew", "POST", "/auth/token", 200, {"session": self.session}))

    async def ask(self) -> None:
        body = {"query": self.chance.choice(QUESTIONS), "agent": AGENT, "time_limit_seconds": 60}
        told = await self.do("execute", "POST", "/api/v4/execute", 200, body)
        self.asked = told["data"]["execution_id"] if told else self.asked

    async def look_back(self) -> None:
        if self.asked:
            await self.do("execution", "GET", f"/api/v4/executions/{self.asked}", 200)

    async def rate(self) -> None:
        if self.asked:
            path = f"/api/v4/executions/{self.asked}/feedback"
            await self.do("feedback", "POST", path, 201, {"rating": self.chance.randint(1, 5), "comment": ""})

    async def ask_nobody(self) -> None:
        await self.do("404 agent", "POST", "/api/v4/execute", 404, {"query": "Who?", "agent": "nobody_here"})

    async def ask_nothing(self) -> None:
        await self.do("422 empty", "POST", "/api/v4/execute", 422, {"query": ""})

    async def look_for_nothing(self) -> None:
        await self.do("404 execution", "GET", f"/api/v4/executions/{uuid4()}", 404)

    async def overstep(self) -> None:
        await self.do("403 upload", "POST", "/api/v4/admin/agents/create", 403, {})

    async def pretend(self) -> None:
        await self.do("401 token", "GET", "/api/v4/me", 401, headers={"Authorization": "Bearer nonsense"})


def _looks(what: str, path: str) -> Callable[[User], Awaitable[None]]:
    async def look(user: User) -> None:
        await user.do(what, "GET", path, 200)

    return look


_ACTIONS: tuple[tuple[Callable[[User], Awaitable[None]], int], ...] = (
    (User.ask, 30), (User.look_back, 10), (User.rate, 4), (User.renew, 4), (User.sign_in, 1),
    (_looks("executions", "/api/v4/executions"), 12), (_looks("agents", "/api/v4/admin/agents"), 8),
    (_looks("insights", "/api/v4/analytics/insights?time_range=7d"), 8), (_looks("me", "/api/v4/me"), 8),
    (_looks("realtime", "/api/v4/analytics/realtime"), 3), (_looks("health", "/health"), 2),
    (User.ask_nobody, 2), (User.ask_nothing, 2), (User.look_for_nothing, 2), (User.overstep, 2), (User.pretend, 2),
)  # fmt: skip


def main() -> int:
    """Measure and print; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--users", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pc-load-") as folder, platform(Path(folder)) as (addresses, pids, client):
        invitations = prepare(client, given.users)
        return asyncio.run(measure(addresses, pids, invitations, given.seconds))


def prepare(client: Client, users: int) -> dict[str, str]:
    """An agent that answers, and the accounts: the invitation of each by its name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(GUIDES, arcname=".")
    source = client.send(api.upload_knowledge(buffer.getvalue(), compressed=True)).source
    spec = {
        "name": AGENT, "domain": "platform", "description": "Answers questions about this platform.",
        "keywords": ["platform"], "knowledge_sources": [{"type": "markdown", "source": source}],
    }  # fmt: skip
    creation = client.send(api.create_agent({"agent_spec": spec, "deployment_config": {"auto_deploy": True}}))
    while (progress := client.send(api.creation(creation.creation_id))).status not in ("completed", "failed"):
        time.sleep(0.5)
    if progress.status == "failed":
        raise SystemExit(f"the agent could not be made: {progress.error}")
    names = [f"user-{number}" for number in range(users)]
    return {
        name: client.send(api.invite_user(name, roles=["analyst"], groups=["data-team"])).invitation for name in names
    }


async def measure(addresses: list[str], pids: dict[str, int], invitations: dict[str, str], seconds: float) -> int:
    figures, limits = Figures(), httpx.Limits(max_connections=None, keepalive_expiry=30)
    options: dict[str, Any] = {"timeout": 70, "limits": limits}
    people = [
        User(name, httpx.AsyncClient(base_url=addresses[number % 2], **options), figures, random.Random(number))
        for number, name in enumerate(invitations)
    ]
    arriving = asyncio.Semaphore(_ARRIVING)

    async def arrive(user: User) -> None:
        async with arriving:
            accepted = {"invitation": invitations[user.name], "password": _PASSWORD}
            await user.do("accept", "POST", "/auth/accept-invitation", 204, accepted)
            await user.sign_in()

    await asyncio.gather(*(arrive(user) for user in people))
    if figures.errors:
        raise SystemExit(f"not everybody could sign in: {dict(figures.errors)}")
    print(f"{len(people)} people have signed in; {seconds:g} s begin")
    figures.counting = True
    before, began = {name: used(pid) for name, pid in pids.items()}, time.monotonic()
    watching = asyncio.create_task(watch(pids, began))
    await asyncio.gather(*(user.live(began + seconds) for user in people))
    took = time.monotonic() - began
    watching.cancel()
    samples = (await asyncio.gather(watching, return_exceptions=True))[0]
    cpu = {name: round(used(pid) - before[name], 1) for name, pid in pids.items()}
    await asyncio.gather(*(user.client.aclose() for user in people))
    assert isinstance(samples, list)
    return report(figures, samples, cpu, took)


async def watch(pids: dict[str, int], began: float) -> list[dict[str, float]]:
    """Resident MB of each process every second, until cancelled."""
    samples: list[dict[str, float]] = []
    try:
        while True:
            samples.append({"at": time.monotonic() - began} | {name: resident(pid) for name, pid in pids.items()})
            await asyncio.sleep(1)
    except asyncio.CancelledError:
        return samples


def report(figures: Figures, samples: list[dict[str, float]], cpu: dict[str, float], took: float) -> int:
    """Print the figures; exit status 1 where a bar is missed."""
    answers = sum(map(len, figures.taken.values()))
    print(f"{'':16}{'answers':>9}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}")
    routes = {}
    for what, times in sorted(figures.taken.items(), key=lambda entry: -len(entry[1])):
        cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
        routes[what] = {"answers": len(times), "p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
        print(f"{what:16}{len(times):9}{cuts[49]:10.1f}{cuts[94]:10.1f}{cuts[98]:10.1f}")
    print(f"{answers} answers in {took:.0f} s, {answers / took:.1f} a second")
    memory, grows = {}, False
    for name in cpu:
        slope, last = slope_of(samples, name), samples[-1][name]
        memory[name] = {"first_mb": samples[0][name], "last_mb": last, "mb_a_minute": slope}
        grows = grows or (took >= _LONG_ENOUGH and slope > FLAT)
        print(
            f"{name:16}{cpu[name]:8.1f} s of CPU  {samples[0][name]:7.1f} -> {last:7.1f} MB  {slope:+.3f} MB a minute"
        )
    for error, count in figures.errors.most_common(20):
        print(f"not intended, {count} times: {error}")
    if not figures.errors:
        print("no answer that was not intended")
    figures_of_all = {"answers": answers, "seconds": took, "routes": routes, "memory": memory, "cpu": cpu}
    print(json.dumps(figures_of_all | {"errors": dict(figures.errors), "flat_mb_a_minute": FLAT}))
    return 1 if figures.errors or grows else 0


def slope_of(samples: list[dict[str, float]], name: str) -> float:
    """MB a minute by least squares over the last two thirds."""
    late = samples[len(samples) // 3 :]
    if len(late) < 2:
        return 0.0
    return statistics.linear_regression([one["at"] for one in late], [one[name] for one in late]).slope * 60


def resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def platform(folder: Path) -> Iterator[tuple[list[str], dict[str, int], Client]]:
    """`up`, a second API process beside it, the processes to watch, and its administrator."""
    data = folder / "data"
    program = [sys.executable, "-P", "-m", "promptcraft.app"]
    # Everybody comes from one address here, which is what limits on requests are there to stop.
    environment = {**os.environ, "ENABLE_API_RATE_LIMITING": "false"}
    up = subprocess.Popen(
        [*program, "up", "--port", "0", "-o", "json", "--data-dir", str(data)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    )  # fmt: skip
    second = None
    try:
        assert up.stdout is not None
        where = json.loads(up.stdout.readline() or "{}")
        if not where:
            raise SystemExit("the platform did not start")
        children = {
            name: child["pid"] for name, child in json.loads((data / "run.json").read_text())["children"].items()
        }
        second, address = beside(children["serve"], program, folder / "second.log")
        pids = {"API": children["serve"], "second API": second.pid, "worker": children["worker"]}
        pids |= {"runtime": children["runtime"], "beat": children["beat"]}
        with Client(where["url"]) as client:
            client.sign_in(where["administrator"]["username"], where["administrator"]["password"])
            yield [where["url"], address], pids, client
    finally:
        if second is not None:
            second.terminate()
            second.wait(30)
        up.send_signal(signal.SIGINT)
        up.wait(60)


def beside(serve: int, program: list[str], log: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """Another API process, which knows what the first one does and listens elsewhere."""
    given = Path(f"/proc/{serve}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    environment = dict(entry.decode().split("=", 1) for entry in given)
    port = free_port()
    first = environment["PROMPTCRAFT_PORT"]
    environment |= {"PROMPTCRAFT_PORT": str(port), "PROMPTCRAFT_PUBLIC_URL": f"http://127.0.0.1:{first}"}
    with log.open("wb") as output:
        process = subprocess.Popen([*program, "serve"], env=environment, stdout=output, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/health/ready").status_code == httpx.codes.OK:
                return process, address
        except httpx.HTTPError:
            time.sleep(0.2)
    raise SystemExit(f"the second API process did not start: {log.read_text()[-500:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
