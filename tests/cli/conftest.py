"""pc-hybrid as people run it, with or without a terminal."""

import asyncio
import io
import os
import pty
import select
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import uvicorn

from pc_hybrid import main
from tests.conftest import Platform
from tests.orchestrator.conftest import agents as agents
from tests.people import PASSWORD, Person
from tests.sdk_client.troubled_server import TroubledServer, token, troubled_server

COMMAND = (sys.executable, "-P", "-m", "pc_hybrid")
_TIME_LIMIT = 30


class Ended(NamedTuple):
    exit_code: int
    data: str
    talk: str


class Home(NamedTuple):
    """A person's environment: a home directory, and nothing else that the CLI reads."""

    path: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {"HOME": str(self.path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **more}

    @property
    def credentials(self) -> Path:
        return self.path / ".config" / "promptcraft" / "credentials.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    path = tmp_path / "home"
    path.mkdir()
    return Home(path)


@pytest.fixture
def server() -> Iterator[TroubledServer]:
    with troubled_server() as running:
        yield running


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command without a terminal; in this process, for speed, but with an environment and streams of its own."""

    def run_command(*arguments: str, stdin: str = "", **environment: str) -> Ended:
        with monkeypatch.context() as own:
            for name in ("PCH_API_URL", "PCH_CONTEXT", "PCH_TOKEN", "PCH_CONFIG_DIR", "XDG_CONFIG_HOME", "NO_COLOR"):
                own.delenv(name, raising=False)
            for name, value in home.environment(**environment).items():
                own.setenv(name, value)
            own.chdir(home.path)
            own.setattr(tempfile, "tempdir", None)
            own.setattr(sys, "argv", ["pc-hybrid", *arguments])
            own.setattr(sys, "stdin", io.StringIO(stdin))
            with pytest.raises(SystemExit) as ended:
                main()
        captured = capsys.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return run_command


@pytest.fixture
def signed_in(run: Callable[..., Ended], server: TroubledServer) -> TroubledServer:
    """A server that the person is signed in to."""
    server.on("POST /auth/token", token("token-1"))
    assert run("login", "--api-url", server.url, "--username", "ada", "--password-stdin", stdin="pw\n").exit_code == 0
    server.asked.clear()
    return server


@pytest.fixture
def at_terminal(home: Home) -> Callable[..., Ended]:
    """Runs a command at a terminal: waits for each text to be shown, then types the answer to it.

    What is shown comes back whole as `talk`; an answer of "^C" is the key.
    """

    def run_command(*arguments: str, keys: Sequence[tuple[str, str]] = (), **environment: str) -> Ended:
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(home.path)
            # a shell starts what it puts into the background deaf to the key
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execve(COMMAND[0], (*COMMAND, *arguments), home.environment(TERM="xterm", **environment))  # noqa: S606  no shell is meant
        return _converse(process, terminal, keys)

    return run_command


_INTERRUPT = b"\x03"
_PATIENCE = 2.0


def _converse(process: int, terminal: int, keys: Sequence[tuple[str, str]]) -> Ended:
    shown = ""
    answered = 0
    waiting = list(keys)
    deadline = time.monotonic() + _TIME_LIMIT
    again = deadline
    while time.monotonic() < deadline:
        if time.monotonic() > again:
            # Python can sleep through a key that comes just before it begins to read; a person presses it again.
            os.write(terminal, _INTERRUPT)
            again = time.monotonic() + _PATIENCE
        if waiting and waiting[0][0] in shown[answered:]:
            answered = shown.index(waiting[0][0], answered) + len(waiting[0][0])
            _, answer = waiting.pop(0)
            os.write(terminal, _INTERRUPT if answer == "^C" else f"{answer}\n".encode())
            again = time.monotonic() + _PATIENCE if answer == "^C" else deadline
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # Linux: the other end is closed
                part = b""
            if not part:
                break
            shown += part.decode().replace("\r\n", "\n")
    else:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        pytest.fail(f"still waiting for {waiting}; shown so far:\n{shown}")
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert not waiting, f"never shown: {waiting}; shown:\n{shown}"
    return Ended(os.waitstatus_to_exitcode(status), "", shown)


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@pytest.fixture(scope="module")
async def address(platform: Platform) -> AsyncIterator[str]:
    """Where this module's platform answers HTTP."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(platform.asgi, lifespan="off", log_config=None, timeout_graceful_shutdown=0))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    await server.up.wait()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await running


Cli = Callable[..., Awaitable[Ended]]


@pytest.fixture
async def cli(run: Callable[..., Ended], address: str, alice: Person) -> Cli:
    """Runs a command as Alice, who is signed in to this module's platform."""

    async def run_command(*arguments: str, stdin: str = "", **environment: str) -> Ended:
        return await asyncio.to_thread(run, *arguments, stdin=stdin, **environment)

    ended = await run_command(
        "login", "--api-url", address, "--username", alice.name, "--password-stdin", stdin=f"{PASSWORD}\n"
    )
    assert ended.exit_code == 0, ended.talk
    return run_command
