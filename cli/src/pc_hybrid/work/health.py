"""What may be wrong: here, on the way, at the platform, and on the host where it runs."""

import importlib.util
import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pc_hybrid import environment
from pc_hybrid.contexts import Target, target
from pc_hybrid.credentials import CredentialStore
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.refusals import failure_of
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import next_line, padded, safe, size
from pc_hybrid.work.figures import moment
from promptcraft_sdk.client import ApiError, Client, ClientError, Credentials, api
from promptcraft_sdk.client.schemas import Health

Status = Literal["ok", "warning", "problem"]
_MARKS: dict[Status, tuple[str, Literal["green", "yellow", "red"]]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "problem": ("✗", "red"),
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# From here on a token that is good looks expired, or the other way round.
_CLOCKS_APART = timedelta(seconds=30)
_SESSION_ENDS_SOON = timedelta(days=1)
_ROOM_FOR_CREDENTIALS = 1_000_000
_ROOM_FOR_THE_PLATFORM = 1_000_000_000
_ROOM_TO_WRITE_AT_ALL = 50_000_000
_TIME_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `next_step` says what to do where it is not ok."""

    check: str
    status: Status
    detail: str
    next_step: str = ""


def doctor(terminal: Terminal) -> None:
    findings = list(_findings())
    terminal.data(
        [asdict(finding) for finding in findings],
        [line for finding in findings for line in _lines(terminal, finding)],
        columns=("check", "status", "detail", "next_step"),
    )
    problems = sum(finding.status == "problem" for finding in findings)
    if problems:
        terminal.say(f"{problems} problem{'s' * (problems > 1)}")
        raise SystemExit(ExitCode.FAILED)
    terminal.say("Nothing is wrong")


def _findings() -> Iterator[Finding]:
    chosen = None
    try:
        store = CredentialStore(environment.read().config_dir)
        chosen = target(store.read(), store.file)
        yield from _configuration(store, chosen)
    except Failure as failure:
        yield _failed("configuration", failure)
    yield from _room("disk of the configuration", environment.read().config_dir, _ROOM_FOR_CREDENTIALS)
    if chosen is not None:
        yield from _platform(chosen)
    if _platform_is_here():
        yield from _host()


def _configuration(store: CredentialStore, chosen: Target) -> Iterator[Finding]:
    file = store.file
    readable_by_others = file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077
    if readable_by_others:
        yield Finding("configuration", "problem", f"{file} can be read by others on this machine", f"chmod 600 {file}")
    else:
        yield Finding("configuration", "ok", f"{file}" if file.exists() else "nothing is stored yet")
    if chosen.api_url.value.startswith("http://") and urlsplit(chosen.api_url.value).hostname not in _LOOPBACK:
        yield Finding(
            "encryption", "warning", f"{chosen.api_url.value} is not encrypted", "Serve it by https, behind a proxy."
        )


def _platform(chosen: Target) -> Iterator[Finding]:
    url = chosen.api_url.value
    with Client(url) as client:
        try:
            health = client.send(api.health())
        except (ApiError, ClientError) as error:
            yield _failed("platform", failure_of(error))
            return
        ahead = client.clock_ahead
    yield Finding("platform", "ok", f"{url} answers")
    yield from _parts(health)
    if ahead is not None:
        yield _clock(ahead)
    if health.version is not None:
        yield _version(health.version)
    yield from _login(chosen)


def _parts(health: Health) -> Iterator[Finding]:
    for part in health.parts:
        if part.status != "ok":
            why = f": {part.detail}" if part.detail else ""
            yield Finding(part.name, "problem", f"the platform's {part.name} is {part.status}{why}", _STEPS[part.name])
    for warning in health.warnings:
        yield Finding("isolation", "warning", warning, "See docs/guides/operating.md on that host.")


class _NextSteps(dict[str, str]):
    def __missing__(self, part: str) -> str:
        return f"Whoever operates the platform has to look at its {part}."


_STEPS = _NextSteps(
    database="Whoever operates the platform has to see that PostgreSQL runs; meanwhile requests answer 503.",
    redis="Whoever operates the platform has to see that Valkey runs; meanwhile work starts later.",
    runtime="No runtime process runs, so no agent does: start one, or look at its log in the data directory.",
)


def _clock(ahead: timedelta) -> Finding:
    seconds = ahead.total_seconds()
    if abs(ahead) < _CLOCKS_APART:
        return Finding("clock", "ok", "as the platform's")
    way = "behind" if seconds > 0 else "ahead of"
    return Finding(
        "clock",
        "problem",
        f"this machine's clock is {abs(seconds):,.0f} s {way} the platform's",
        "Set it by NTP (timedatectl set-ntp true), on this machine or on the platform's, whichever is wrong.",
    )


def _version(platform: str) -> Finding:
    ours = version("pc-hybrid")
    if _numbers(ours) < _numbers(platform):
        return Finding(
            "version",
            "warning",
            f"pc-hybrid is {ours}, older than the platform, which is {platform}",
            f"Install pc-hybrid {platform}, or newer.",
        )
    return Finding("version", "ok", f"pc-hybrid {ours}, platform {platform}")


def _numbers(release: str) -> tuple[int, ...]:
    """The release's numbers; what stands after them (rc1, .dev0) does not count."""
    numbers: list[int] = []
    for part in release.split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _login(chosen: Target) -> Iterator[Finding]:
    login = "pc-hybrid login" + (f" --context {chosen.context}" if chosen.context else "")
    held = Credentials(access_token=chosen.token) if chosen.token else chosen.credentials
    if held is None:
        yield Finding("login", "problem", f"you are not signed in to {chosen.api_url.value}", login)
        return
    ends = held.session_expires_at
    if ends is not None and ends < datetime.now(UTC):
        yield Finding("login", "problem", f"your session ended at {moment(ends)} UTC", login)
        return
    # By the store of the command line, as a look that renews must keep what it was given.
    from pc_hybrid.connection import connect

    try:
        with connect() as client:
            me = client.send(api.me())
    except (ApiError, ClientError, Failure) as error:
        failure = failure_of(error)
        yield Finding("login", "problem", failure.what, login if failure.exit_code == 4 else failure.next_step)
        return
    if ends is not None and ends < datetime.now(UTC) + _SESSION_ENDS_SOON:
        yield Finding("login", "warning", f"your session ends at {moment(ends)} UTC", login)
        return
    yield Finding("login", "ok", f"{me.username} of {me.organization.name}")


def _platform_is_here() -> bool:
    return importlib.util.find_spec("promptcraft") is not None


def _host() -> Iterator[Finding]:
    """What the platform needs of the host that it is installed on."""
    yield _isolation()
    report = _settings_of_the_host()
    if report is None:
        yield Finding("settings", "problem", "the platform's program does not start", "pc-hybrid config validate")
        return
    for problem in report["problems"]:
        yield Finding("settings", "problem", f"{problem['name']} {problem['problem']}", f"{problem['fix']}")
    if not report["problems"]:
        yield Finding("settings", "ok", "the platform's settings on this host are usable")
    yield from _room("disk of the platform", Path(report["data_dir"]), _ROOM_FOR_THE_PLATFORM)


def _isolation() -> Finding:
    if shutil.which("bwrap") is None:
        return Finding(
            "isolation",
            "problem",
            "bubblewrap is not installed, so agents cannot be kept apart from this host",
            "Install bubblewrap with the package manager of this host (apt install bubblewrap).",
        )
    tried = _run("bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true")
    if tried is None or tried.returncode:
        why = "no answer" if tried is None else tried.stderr.strip()[:200]
        return Finding(
            "isolation",
            "problem",
            f"bubblewrap cannot make a sandbox here: {why}",
            "Allow user namespaces: docs/guides/operating.md names the settings of the kernel.",
        )
    return Finding("isolation", "ok", "bubblewrap makes sandboxes")


def _settings_of_the_host() -> dict[str, Any] | None:
    done = _run(sys.executable, "-P", "-m", "promptcraft.app", "config", "validate", "-o", "json")
    try:
        return None if done is None else json.loads(done.stdout)
    except ValueError:
        return None


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIME_LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return None


def _room(check: str, directory: Path, least: int) -> Iterator[Finding]:
    """Whether there is room where this directory is, or will be."""
    place = next(path for path in (directory, *directory.parents) if _is_there(path))
    free = shutil.disk_usage(place).free
    if free >= least:
        yield Finding(check, "ok", f"{size(free)} free")
        return
    status: Status = "problem" if free < min(least, _ROOM_TO_WRITE_AT_ALL) else "warning"
    yield Finding(check, status, f"{size(free)} free at {place}", "Make room there.")


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _failed(check: str, failure: Failure) -> Finding:
    return Finding(check, "problem", failure.what, failure.next_step)


def _lines(terminal: Terminal, finding: Finding) -> Iterator[str]:
    mark, style = _MARKS[finding.status]
    yield f"{terminal.paint(mark, style)} {padded(finding.check, 25)}  {safe(finding.detail)}"
    if finding.next_step:
        yield f"  {padded('', 25)}  {next_line(finding.next_step)}"
