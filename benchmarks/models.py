"""What the proxy of models adds to a streamed answer, beside LiteLLM's proxy before the same provider in one run.

Added p50 to the first token: over asking the provider directly, one stream at a time, the three taken in turn. Added
CPU per streamed chunk: of the proxying process, by how much more of it longer streams take than short ones. Both
proxies have one process. LiteLLM is configured as its page on production says (LITELLM_MODE=PRODUCTION, a master key,
errors logged only), and without a database, so it keeps no record; ours has every call on the record. Name its program
by `--litellm`, or install it on PATH outside this checkout: `pip install "litellm[proxy]"`. Prints one line of JSON
last.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from promptcraft_sdk.client import Client

BAR = 5.0
_SHORT, _LONG = 20, 220
_STREAMS = 4
_GAP_SECONDS = 0.004
_TICKS = os.sysconf("SC_CLK_TCK")
_MODEL = "gpt-4o"


@dataclass(frozen=True)
class Target:
    """Where a chat completion is asked, and the process whose CPU counts."""

    name: str
    url: str
    token: str
    pid: int = 0


def main() -> int:
    """Measure and print; exit status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-tokens", type=int, default=60, help="streams a target for the time to the first token")
    parser.add_argument("--litellm", default=os.environ.get("LITELLM") or shutil.which("litellm"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pc-bench-") as folder, provider() as address:
        direct = Target("direct", f"{address}/v1/chat/completions", "key")
        with platform(Path(folder), address) as ours:
            if not arguments.litellm:
                print("LiteLLM is not here, so only ours is measured")
                return report(asyncio.run(measure([direct, ours], arguments.first_tokens)))
            with litellm(Path(folder), address, arguments.litellm) as theirs:
                return report(asyncio.run(measure([direct, ours, theirs], arguments.first_tokens)))


async def measure(targets: list[Target], first_tokens: int) -> dict[str, dict[str, float]]:
    """Median milliseconds to the first token, and microseconds of CPU for one more chunk, by target."""
    for target in targets:
        await asyncio.gather(*(stream(target, _SHORT, 0) for _ in range(4 * _STREAMS)))
    taken: dict[str, list[float]] = {target.name: [] for target in targets}
    for _ in range(first_tokens):
        for target in targets:
            taken[target.name].append(await stream(target, 3, 0))
    found = {name: {"first_token_ms": statistics.median(times) * 1000} for name, times in taken.items()}
    for target in targets[1:]:
        short, long = [], []
        for _ in range(3):
            short.append(await cpu_of(target, _SHORT))
            long.append(await cpu_of(target, _LONG))
        more = statistics.median(long) - statistics.median(short)
        found[target.name]["chunk_cpu_us"] = more / (_STREAMS * (_LONG - _SHORT)) * 1e6
    return found


def report(found: dict[str, dict[str, float]]) -> int:
    base = found["direct"]["first_token_ms"]
    print(f"to the first token of a stream, p50: the provider itself {base:.2f} ms")
    added = {name: figures["first_token_ms"] - base for name, figures in found.items() if name != "direct"}
    for name, milliseconds in added.items():
        print(f"  {name:<10} adds {milliseconds:6.2f} ms, and {found[name]['chunk_cpu_us']:6.0f} us of CPU a chunk")
    result: dict[str, Any] = {"added_first_token_ms": {name: round(value, 2) for name, value in added.items()}}
    result["chunk_cpu_us"] = {name: round(found[name]["chunk_cpu_us"]) for name in added}
    ratios: list[float] = []
    if "litellm" in added:
        ratios = [
            added["litellm"] / added["ours"],
            found["litellm"]["chunk_cpu_us"] / found["ours"]["chunk_cpu_us"],
        ]
        print(
            f"  LiteLLM takes {ratios[0]:.1f} times as long, {ratios[1]:.1f} times the CPU; the bar is {BAR:.0f} each"
        )
    print(json.dumps(result | {"ratios": [round(ratio, 1) for ratio in ratios], "bar": BAR}))
    return 1 if any(ratio < BAR for ratio in ratios) else 0


async def stream(target: Target, chunks: int, gap: float) -> float:
    """One stream over a connection of its own, read to its end; seconds from the request to the first token."""
    parts = urlsplit(target.url)
    document = {
        "model": _MODEL,
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
        # the provider reads these two, a proxy passes them on
        "max_tokens": chunks,
        "user": str(gap),
    }
    body = json.dumps(document).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {target.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    started = time.perf_counter()
    writer.write(head.encode() + body)
    seen, first = b"", 0.0
    while part := await reader.read(65_536):
        seen += part
        if not first and b'"content"' in seen:
            first = time.perf_counter() - started
    writer.close()
    if not first or b"[DONE]" not in seen:
        raise SystemExit(f"{target.name} did not stream: {seen[:500]!r}")
    return first


async def cpu_of(target: Target, chunks: int) -> float:
    """CPU seconds of the target's process over some streams at once."""
    before = used(target.pid)
    await asyncio.gather(*(stream(target, chunks, _GAP_SECONDS) for _ in range(_STREAMS)))
    return used(target.pid) - before


def used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


# --- who is asked -----------------------------------------------------------------------------------------------------


@contextmanager
def provider() -> Iterator[str]:
    """The provider, a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, __file__, "--provider", str(port)])
    try:
        wait(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


@contextmanager
def platform(folder: Path, address: str) -> Iterator[Target]:
    """Ours, as `up` starts it."""
    command = [sys.executable, "-P", "-m", "promptcraft.app", "up", "--port", "0", "-o", "json"]
    environment = {**os.environ, "OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": "key"}
    process = subprocess.Popen(
        [*command, "--data-dir", str(folder / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    try:
        where = json.loads(process.stdout.readline() if process.stdout else "")
        with Client(where["url"]) as client:
            token = client.sign_in(where["administrator"]["username"], where["administrator"]["password"]).access_token
        yield Target("ours", f"{where['url']}/api/v4/models/v1/chat/completions", token, serving(process.pid))
    finally:
        stop(process)


@contextmanager
def litellm(folder: Path, address: str, program: str) -> Iterator[Target]:
    """LiteLLM's proxy, one worker."""
    port = free_port()
    given = {"model": f"openai/{_MODEL}", "api_base": f"{address}/v1", "api_key": "key"}
    config = {
        "model_list": [{"model_name": _MODEL, "litellm_params": given}],
        "litellm_settings": {"set_verbose": False, "request_timeout": 600},
    }
    (folder / "litellm.yaml").write_text(json.dumps(config))
    key = "sk-" + "7f3a9c2e" * 8
    modes = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environment = {**os.environ, **modes, "LITELLM_MASTER_KEY": key}
    command = [program, "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--num_workers", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        wait(f"http://127.0.0.1:{port}/health/liveliness", process)
        yield Target("litellm", f"http://127.0.0.1:{port}/v1/chat/completions", key, process.pid)
    finally:
        stop(process)


def serving(pid: int) -> int:
    """The process below this one that answers HTTP."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"serve" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
            return int(child)
    raise SystemExit("the platform has no process that serves")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def wait(url: str, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - an address of this machine
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"nobody answers at {url}")


def stop(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


async def provide(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
    """Streams `max_tokens` chunks, as many seconds apart as `user` says."""
    body = b""
    while (message := await receive()).get("more_body") or not body:
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    asked = json.loads(body) if body else {}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})

    async def event(document: Any) -> None:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})

    def chunk(delta: dict[str, str], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        named = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": _MODEL}
        return {**named, "choices": [choice], "usage": None, **more}

    chunks = asked.get("max_tokens", 1)
    for number in range(chunks):
        await event(chunk({"content": f"word{number} "}))
        await asyncio.sleep(float(asked.get("user") or 0))
    await event(chunk({}, "stop"))
    usage = {"prompt_tokens": 10, "completion_tokens": chunks, "total_tokens": 10 + chunks}
    await event(chunk({}, choices=[], usage=usage))
    await event(b"[DONE]")
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def serve(port: int) -> None:
    uvicorn.run(provide, port=port, log_level="critical", lifespan="off")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--provider"]:
        serve(int(sys.argv[2]))
    else:
        sys.exit(main())
