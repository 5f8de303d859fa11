"""doctor: each thing that goes wrong is found, explained and told what to do about; the exit code says so."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

import pytest

from pc_hybrid.work import health
from tests.sdk_client.troubled_server import ADA, TroubledServer, problem

HEALTHY = {"status": "ok", "version": "0.1.0", "parts": [{"name": "database", "status": "ok"}], "warnings": []}


def answer(document: dict[str, Any], *, ahead: float = 0):
    """An answer by a platform whose clock is ahead of this machine's by these seconds."""

    def answers(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps(document).encode()
        handler.send_response_only(200)
        handler.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answers


class Found(NamedTuple):
    exit_code: int
    findings: dict[str, dict[str, str]]

    def told(self, check: str) -> tuple[str, str]:
        return self.findings[check]["status"], self.findings[check]["next_step"]


@pytest.fixture
def examined(run):
    def look(**environment: str) -> Found:
        ended = run("doctor", "-o", "json", **environment)
        return Found(ended.exit_code, {one["check"]: one for one in json.loads(ended.data)})

    return look


@pytest.fixture
def well(signed_in: TroubledServer, monkeypatch) -> TroubledServer:
    """A platform that is well, on a host with everything that is needed, and somebody signed in to it."""
    signed_in.on("GET /health", answer(HEALTHY))
    signed_in.on("GET /api/v4/me", ADA)
    monkeypatch.setattr(health, "_ROOM_FOR_THE_PLATFORM", 0)
    return signed_in


def test_where_nothing_is_wrong_it_says_so(well, examined, run):
    found = examined()
    shown = run("doctor")

    assert (found.exit_code, {one["status"] for one in found.findings.values()}) == (0, {"ok"}), found
    assert {"configuration", "platform", "clock", "version", "login", "isolation"} <= found.findings.keys()
    assert shown.data.startswith("✓ configuration ")
    assert shown.talk.endswith("Nothing is wrong\n")


def test_no_server(examined):
    found = examined(PCH_API_URL="http://127.0.0.1:1")

    assert found.exit_code == 1
    assert found.told("platform") == ("problem", "pc-hybrid up")
    assert "login" not in found.findings


@pytest.mark.parametrize(("ahead", "said"), [(3600, "3,600 s behind"), (-90, "90 s ahead of")])
def test_a_wrong_clock(well, examined, ahead, said):
    well.on("GET /health", answer(HEALTHY, ahead=ahead + 0.5))

    found = examined()

    status, next_step = found.told("clock")
    assert (found.exit_code, status) == (1, "problem")
    assert said in found.findings["clock"]["detail"].replace("3,599", "3,600").replace("89", "90")
    assert "NTP" in next_step


@pytest.mark.parametrize(("platform", "status"), [("0.2.0", "warning"), ("0.10.0rc1", "warning"), ("0.0.9", "ok")])
def test_a_client_older_than_the_platform(well, examined, platform, status):
    well.on("GET /health", answer(HEALTHY | {"version": platform}))

    found = examined()

    assert (found.exit_code, found.findings["version"]["status"]) == (0, status)


def test_a_part_of_the_platform_that_is_down(well, examined):
    parts = [{"name": "redis", "status": "down", "detail": "ConnectionError"}]
    well.on("GET /health", answer(HEALTHY | {"parts": parts, "warnings": ["no cgroups here"]}))

    found = examined()

    assert found.exit_code == 1
    assert found.told("redis")[0] == "problem"
    assert "Valkey" in found.told("redis")[1]


def test_a_full_disk(well, examined, monkeypatch):
    monkeypatch.setattr(health, "_ROOM_FOR_CREDENTIALS", 10**18)
    monkeypatch.setattr(health, "_ROOM_TO_WRITE_AT_ALL", 10**18)

    found = examined()

    assert found.exit_code == 1
    assert found.told("disk of the configuration") == ("problem", "Make room there.")


def test_no_bubblewrap(well, examined, home):
    tools = home.path / "bin"
    tools.mkdir()
    found = examined(PATH=str(tools))

    assert found.exit_code == 1
    assert "bubblewrap is not installed" in found.findings["isolation"]["detail"]
    assert "apt install bubblewrap" in found.told("isolation")[1]


def test_a_bubblewrap_that_may_not_make_sandboxes(well, examined, home):
    tools = home.path / "bin"
    tools.mkdir()
    (tools / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    (tools / "bwrap").chmod(0o755)

    found = examined(PATH=f"{tools}:{os.environ['PATH']}")

    assert "No permissions to create new namespace" in found.findings["isolation"]["detail"]
    assert "user namespaces" in found.told("isolation")[1]


def test_settings_of_the_host_that_cannot_be_used(well, examined):
    found = examined(API_PORT="many")

    assert found.exit_code == 1
    assert "API_PORT" in found.findings["settings"]["detail"]


def test_an_expired_login(well, examined, home):
    stored = json.loads(home.credentials.read_text())
    (context,) = stored["contexts"].values()
    context["credentials"]["session_expires_at"] = "2026-01-01T00:00:00Z"
    home.credentials.write_text(json.dumps(stored))

    found = examined()

    assert (found.exit_code, found.told("login")[0]) == (1, "problem")
    assert found.told("login")[1].startswith("pc-hybrid login")


def test_a_login_that_the_platform_does_not_take(well, examined):
    well.on("GET /api/v4/me", problem(401, code="token_expired", detail="The session was ended."))
    well.on("POST /auth/token", problem(401, code="session_ended", detail="The session was ended."))

    found = examined()

    assert (found.exit_code, found.findings["login"]["detail"]) == (1, "The session was ended.")


def test_nobody_signed_in(well, examined, run):
    run("context", "add", "other", "--api-url", well.url)

    found = examined(PCH_CONTEXT="other")

    assert found.told("login") == ("problem", "pc-hybrid login --context other")


def test_a_configuration_that_cannot_be_read(well, examined, home):
    home.credentials.write_text("{")

    found = examined()

    assert (found.exit_code, found.told("configuration")[0]) == (1, "problem")
    assert "damaged" in found.findings["configuration"]["detail"]


def test_a_configuration_that_others_can_read(well, examined, home):
    home.credentials.chmod(0o644)

    found = examined()

    assert found.told("configuration") == ("problem", f"chmod 600 {home.credentials}")


def test_every_finding_at_a_terminal_has_its_next_step(run):
    ended = run("doctor", PCH_API_URL="http://127.0.0.1:1")

    assert ended.exit_code == 1
    assert "✗ platform " in ended.data
    assert "Try:  pc-hybrid up" in ended.data
    assert shutil.which("bwrap") is None or "✓ isolation" in ended.data
