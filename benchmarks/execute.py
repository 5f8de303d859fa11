"""What `POST /api/v4/execute` adds to calling the agent directly: milliseconds and CPU, at 1, 8 and 32 connections.

The agent is a bare MCP server that answers at once, called on its own socket and through the platform by turns, over
connections that stay open, with one client of ours for both. Every call through the platform is authenticated, routed,
kept as an execution with its texts, its fact and its event. CPU per call is printed by process: the API, PostgreSQL,
Valkey, the worker and the other processes of the platform, the agent. Prints one line of JSON last. `--calls N` per
connection count (default 300).
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import uvicorn

from promptcraft.app.demo import platform_in
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.context import WorkContext, enter
from promptcraft.kernel.db import Database, unit_of_work
from promptcraft.registry import ServerRegistration, SocketUpstream, register_server
from promptcraft.registry.clients.wire import Request
from promptcraft_sdk.client import Client, api

CONNECTIONS = (1, 8, 32)
GOAL_MS = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")
_NAME = "at_once"
_QUESTION = "When is the return due?"
_TOOL = {
    "name": "ask",
    "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
_ANSWER: dict[str, Any] = {"answered": True, "answer": "On the tenth.", "citations": []}


@dataclass(frozen=True)
class Target:
    """Where one call goes: a socket's path or an address, and the request's bytes."""

    name: str
    where: str
    request: bytes


def main() -> int:
    """Measure and print; the goal is no bar, so the exit status is 0 when all calls were answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pc-b-") as folder, agent(Path(folder) / "a.sock") as (socket, process):
        data = Path(folder) / "data"
        with platform_in(data) as started, Client(started["url"]) as client:
            administrator = started["administrator"]
            token = client.sign_in(administrator["username"], administrator["password"]).access_token
            me = client.send(api.me())
            asyncio.run(_register(data, me.organization.id, socket))
            targets = [_direct(socket), _through(started["url"], token)]
            pids = processes(data) | {"agent": [process.pid]}
            found = asyncio.run(_measure(targets, arguments.calls, pids))
    return _report(found)


async def _register(data: Path, org_id: UUID, socket: str) -> None:
    """As the factory registers an agent that it made; what is registered so is called where it says it is."""
    app, system = (_address(data, role) for role in ("app", "system"))
    db, upstream = Database.connect(app, system), SocketUpstream()
    try:
        tools = tuple(await upstream.list_tools(socket))
        registration = ServerRegistration.model_validate(
            {"name": _NAME, "environment": "development", "version": "1", "endpoint": socket, "tools": tools}
        )
        actor = platform_actor(org_id=org_id)
        with enter(WorkContext("host", "benchmark", "benchmark")):
            async with unit_of_work(db, actor) as session:
                await register_server(session, actor, registration)
    finally:
        await upstream.close()
        await db.dispose()


def _address(data: Path, role: str) -> str:
    password = (data / "secrets" / f"db-{role}").read_text().strip()
    return f"postgresql+psycopg://promptcraft_{role}:{password}@/promptcraft?host={_sockets(data)}"


def _sockets(data: Path) -> str:
    return json.loads((data / "run.json").read_text())["sockets"]


def processes(data: Path) -> dict[str, list[int]]:
    """The platform's processes by name, with those below them."""
    children = json.loads((data / "run.json").read_text())["children"]
    return {name: _tree(child["pid"]) for name, child in children.items()}


def _tree(pid: int) -> list[int]:
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:  # it ended meanwhile
        return []
    return [pid, *(each for child in below for each in _tree(int(child)))]


def _direct(socket: str) -> Target:
    call = Request("tools/call", {"name": "ask", "arguments": {"query": _QUESTION}}, "ask")
    return Target("direct", socket, _http("/mcp", "localhost:8080", call.headers(), call.body()))


def _through(url: str, token: str) -> Target:
    body = json.dumps({"query": _QUESTION, "agent": _NAME}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return Target("execute", url, _http("/api/v4/execute", urlsplit(url).netloc, headers, body))


def _http(path: str, host: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _measure(targets: list[Target], calls: int, pids: dict[str, list[int]]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for connections in CONNECTIONS:
        for target in targets:
            await _load(target, connections, max(20, 2 * connections))
        taken: dict[str, list[float]] = {target.name: [] for target in targets}
        before = used(pids)
        for _ in range(3):
            for target in targets:
                taken[target.name] += await _load(target, connections, calls // 3)
        # What follows a call (its fact) is part of its cost.
        await asyncio.sleep(2)
        spent = {name: seconds - before[name] for name, seconds in used(pids).items()}
        found[connections] = {"taken": taken, "cpu": spent, "calls": len(taken["execute"])}
    return found


async def _load(target: Target, connections: int, calls: int) -> list[float]:
    """Seconds of each call, the connections sharing them."""
    left = iter(range(calls))
    taken: list[float] = []

    async def one() -> None:
        reader, writer = await _open(target.where)
        for _ in left:
            began = time.perf_counter()
            writer.write(target.request)
            status, body = await _response(reader)
            taken.append(time.perf_counter() - began)
            if status != 200 or b"On the tenth." not in body:
                raise SystemExit(f"{target.name} answered {status}: {body[:500]!r}")
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return taken


async def _open(where: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if where.startswith("/"):
        return await asyncio.open_unix_connection(where)
    parts = urlsplit(where)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


def used(pids: dict[str, list[int]]) -> dict[str, float]:
    """CPU seconds so far, by name; of processes that ended meanwhile nothing is known."""
    return {name: sum(_cpu(pid) for pid in trees) for name, trees in pids.items()}


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _report(found: dict[int, dict[str, Any]]) -> int:
    result: dict[str, Any] = {}
    print("POST /api/v4/execute over calling the agent directly")
    for connections, figures in found.items():
        direct, through = (sorted(figures["taken"][name]) for name in ("direct", "execute"))
        added = {f"p{share}": (_quantile(through, share) - _quantile(direct, share)) * 1000 for share in (50, 99)}
        cpu = {name: seconds / figures["calls"] * 1000 for name, seconds in figures["cpu"].items()}
        goal = f"   (goal {GOAL_MS:.0f} ms)" if connections == 1 else ""
        print(
            f"  {connections:>2} connections  direct p50 {_quantile(direct, 50) * 1000:6.2f} ms"
            f"   adds p50 {added['p50']:6.2f} ms, p99 {added['p99']:6.2f} ms{goal}"
        )
        print("      CPU per call, ms: " + ", ".join(f"{name} {value:.2f}" for name, value in cpu.items()))
        result[str(connections)] = {
            "added_ms": {name: round(value, 2) for name, value in added.items()},
            "cpu_ms": {name: round(value, 2) for name, value in cpu.items()},
        }
    print(json.dumps(result | {"goal_ms": GOAL_MS}))
    return 0


def _quantile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


# --- the agent, a process of its own ----------------------------------------------------------------------------------


@contextmanager
def agent(socket: Path) -> Generator[tuple[str, subprocess.Popen[bytes]]]:
    process = subprocess.Popen([sys.executable, __file__, "--agent", str(socket)])
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit("the agent did not start")
            time.sleep(0.05)
        yield str(socket), process
    finally:
        process.terminate()
        process.wait(10)


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    request = json.loads(body + message["body"])
    if request["method"] == "tools/list":
        result: dict[str, Any] = {"tools": [_TOOL], "ttlMs": 0, "cacheScope": "private"}
    else:
        result = {"content": [{"type": "text", "text": json.dumps(_ANSWER)}], "structuredContent": _ANSWER}
    answer = json.dumps(
        {"jsonrpc": "2.0", "id": request["id"], "result": {"resultType": "complete", **result}}
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--agent"]:
        uvicorn.run(_answer, uds=sys.argv[2], log_level="critical", lifespan="off")
    else:
        sys.exit(main())
