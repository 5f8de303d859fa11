"""The disk under a whole platform: full, then with room again; and one that cannot be written at all."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psycopg
import pytest

from promptcraft_sdk.client import api
from tests.agents.conftest import packed
from tests.app.processes import eventually, start, with_stand_ins
from tests.e2e.drill import HANDBOOK, PATIENCE, QUESTION, Site, site

pytestmark = pytest.mark.e2e
_ROOM = "size=700m,mode=755"


@contextmanager
def mounted(directory: Path, *options: str) -> Iterator[None]:
    """Another file system in this place; only root may."""
    mounting = subprocess.run(["mount", *options, str(directory)], capture_output=True, check=False, text=True)
    if mounting.returncode:
        pytest.skip(f"the kernel lets nobody but root mount here: {mounting.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture
def small() -> Iterator[Path]:
    """A disk of its own, small enough to be filled."""
    place = Path(tempfile.mkdtemp(prefix="small-"))
    with mounted(place, "-t", "tmpfs", "-o", _ROOM, "none"):
        yield place
    place.rmdir()


def fill(place: Path) -> Path:
    """Take all the room that is left."""
    ballast = place / "ballast"
    part = b"\0" * 2**20
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(part)
    with ballast.open("ab", buffering=0) as file:
        while True:
            try:
                file.write(b"\0" * 512)
            except OSError as full:
                assert full.errno == errno.ENOSPC
                return ballast


def no_room_for_the_log(drill: Site) -> None:
    """Have PostgreSQL begin a file of its log, for which there is none."""
    with suppress(psycopg.Error):
        for _ in range(4):
            drill.database.execute("create temp table if not exists ballast (x text)")
            drill.database.execute("select pg_logical_emit_message(false, 'drill', repeat('x', 1000000))")
            drill.database.execute("select pg_switch_wal()")


def test_on_a_full_disk_everything_is_refused_as_such_and_all_resumes_once_there_is_room(small: Path) -> None:
    with site(small) as drill:
        assert drill.end_of(drill.create("steady")) == {"steady": "completed"}
        assert eventually(lambda: drill.answers("steady"))
        key = drill.client.send(api.create_api_key("drill")).key
        ballast = fill(small)
        no_room_for_the_log(drill)

        told: list[tuple[int, str]] = []
        with httpx.Client(base_url=drill.up.where["url"], headers={"Authorization": f"Bearer {key}"}) as client:
            for _ in range(10):
                asked = client.post("/api/v4/execute", json={"query": QUESTION, "agent": "steady"}, timeout=60)
                sent = client.post("/api/v4/admin/knowledge/uploads", content=packed(HANDBOOK / "vat"), timeout=60)
                told += [(each.status_code, each.json().get("code", "answered")) for each in (asked, sent)]
            assert client.get("/health/live").status_code == 200
        assert set(told) <= {(503, "unavailable"), (507, "storage_full"), (200, "answered")}, told
        assert {status for status, _ in told} & {503, 507}

        ballast.unlink()
        assert eventually(lambda: _well(drill), PATIENCE)
        assert eventually(lambda: drill.answers("steady"), PATIENCE)
        drill.reconnect()
        assert drill.end_of(drill.create("afterwards")) == {"afterwards": "completed"}
        drill.remove("steady", "afterwards")


def _well(drill: Site) -> bool:
    try:
        return httpx.get(f"{drill.up.where['url']}/health", timeout=10).json()["status"] == "ok"
    except (httpx.HTTPError, ValueError):
        return False


def test_a_platform_whose_data_directory_cannot_be_written_says_so_and_starts_once_it_can(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert start(with_stand_ins(data), tmp_path / "first").end() == 0
    with mounted(data, "--bind", str(data)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(data)], check=True)
        refused = start(with_stand_ins(data), tmp_path / "talk")
        assert refused.process.wait(timeout=60) not in (0, None)
        assert "Traceback" not in refused.talk
        assert "cannot be written" in refused.talk
        assert os.access(data, os.R_OK)

    assert start(with_stand_ins(data), tmp_path / "again").end() == 0
