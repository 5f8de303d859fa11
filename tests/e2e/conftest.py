"""The whole platform, started by `up` as a person would start it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from promptcraft_sdk.client import Client, api
from tests.cli.conftest import Ended
from tests.cli.conftest import at_terminal as at_terminal
from tests.cli.conftest import home as home
from tests.cli.conftest import run as run

_STOP_SECONDS = 30


@dataclass(frozen=True)
class Running:
    """A platform that serves, and who may do everything there."""

    url: str
    username: str
    password: str
    data: Path

    @property
    def key(self) -> str:
        with Client(self.url) as client:
            client.sign_in(self.username, self.password)
            return client.send(api.create_api_key("tests")).key


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("platform") / "data"
    command = (sys.executable, "-P", "-m", "pc_hybrid", "up", "--port", "0", "--data-dir", str(data), "-o", "json")
    with (data.parent / "up.log").open("w") as log:
        platform = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    line = platform.stdout.readline()
    assert line, (data.parent / "up.log").read_text()
    ready = json.loads(line)
    yield Running(ready["url"], ready["administrator"]["username"], ready["administrator"]["password"], data)
    platform.send_signal(signal.SIGINT)
    assert platform.wait(_STOP_SECONDS) == 0
    platform.stdout.close()


@pytest.fixture(scope="session")
def key(running: Running) -> str:
    return running.key


@pytest.fixture
def cli(run: Callable[..., Ended], running: Running, key: str) -> Callable[..., Ended]:
    """Runs a command as the first administrator."""

    def run_command(*arguments: str, stdin: str = "", **environment: str) -> Ended:
        return run(*arguments, stdin=stdin, **{"PCH_API_URL": running.url, "PCH_TOKEN": key, **environment})

    return run_command


@pytest.fixture
def typed(at_terminal: Callable[..., Ended], running: Running, key: str) -> Callable[..., Ended]:
    """Types a command at a terminal as the first administrator."""

    def run_command(*arguments: str, keys: tuple[tuple[str, str], ...] = ()) -> Ended:
        return at_terminal(*arguments, keys=keys, PCH_API_URL=running.url, PCH_TOKEN=key)

    return run_command
