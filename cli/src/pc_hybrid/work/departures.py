"""Organisations that leave."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import safe, size
from pc_hybrid.work import progress
from pc_hybrid.work.figures import moment
from pc_hybrid.work.organisations import found
from promptcraft_sdk.client import Client, api
from promptcraft_sdk.client.schemas import Offboarding, OrganisationEntry, Progress


def offboard(
    terminal: Terminal,
    org: str,
    confirmed: bool,
    name: str | None,
    file: Path | None,
    *,
    wait: bool,
    time_limit: float,
) -> None:
    _must_be_free(file)
    with connect() as client:
        leaving = found(client, org)
        _confirm(terminal, leaving, confirmed, name)
        begun = client.send(api.offboard_organisation(leaving.id, leaving.slug))
        if not wait:
            terminal.data(begun, _lines(begun))
            terminal.say(f"Follow it:  pc-hybrid org offboarding {safe(leaving.slug)}")
            return
        end = _followed(terminal, client, leaving, time_limit)
        if end.status == "failed":
            raise Failure(
                f"offboarding {leaving.slug} failed: {end.error}",
                next_step=f"See to it, then again:  pc-hybrid org offboard {leaving.slug}; nobody of it comes in "
                f"meanwhile, unless:  pc-hybrid org resume {leaving.slug}",
            )
        terminal.data(end, _lines(end))
        if file is not None:
            _fetch(terminal, client, end, file)
        else:
            terminal.say(f"Fetch it:  pc-hybrid org export {safe(leaving.slug)} FILE.ZIP")


def show(terminal: Terminal, org: str) -> None:
    with connect() as client:
        shown = client.send(api.offboarding(found(client, org).id))
    terminal.data(shown, _lines(shown))


def export(terminal: Terminal, org: str, file: Path) -> None:
    _must_be_free(file)
    with connect() as client:
        shown = client.send(api.offboarding(found(client, org).id))
        _fetch(terminal, client, shown, file)
    terminal.data(shown, [f"Everything of {safe(shown.slug)} is in {file}"])


def _confirm(terminal: Terminal, leaving: OrganisationEntry, confirmed: bool, name: str | None) -> None:
    """Two confirmations, each of which can be typed or given."""
    question = f"Offboard {safe(leaving.name)} ({leaving.slug}), {leaving.users} users? It cannot be taken back"
    if not confirmed and not terminal.confirm(question, "--yes"):
        raise Failure(f"{leaving.slug} was not offboarded")
    typed = name if name is not None else terminal.ask("Its short name once more", "--confirm-name", "which one leaves")
    if typed != leaving.slug:
        raise Failure(
            f'"{typed}" is not {leaving.slug}: it was not offboarded',
            exit_code=ExitCode.USAGE,
            next_step="pc-hybrid org list",
        )


def _followed(terminal: Terminal, client: Client, leaving: OrganisationEntry, time_limit: float) -> Offboarding:
    def poll() -> Progress:
        now = client.send(api.offboarding(leaving.id))
        status = "running" if now.status == "compensating" else now.status
        return Progress(agent_name=now.slug, status=status, phase=now.phase, steps=now.steps)

    progress.follow(
        terminal,
        client,
        None,
        poll,
        title=f"Offboarding {safe(leaving.slug)}",
        what=f"the offboarding of {leaving.slug}",
        resume=f"pc-hybrid org offboarding {leaving.slug}",
        time_limit=time_limit,
    )
    return client.send(api.offboarding(leaving.id))


def _fetch(terminal: Terminal, client: Client, shown: Offboarding, file: Path) -> None:
    archive = client.send(api.organisation_export(shown.organization_id))
    if shown.export is None or hashlib.sha256(archive).hexdigest() != shown.export.sha256:
        raise Failure("the export did not arrive whole", next_step=f"pc-hybrid org export {shown.slug} {file}")
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(archive)
    except OSError as error:
        raise Failure(f"cannot write {file}: {error.strerror}", next_step="Give another file.") from error
    terminal.say(f"Written to {file} ({size(len(archive))}, SHA-256 as the platform has it)")


def _must_be_free(file: Path | None) -> None:
    if file is not None and file.exists():
        raise Failure(f"{file} exists", exit_code=ExitCode.CONFLICT, next_step="Give another file.")


def _lines(shown: Offboarding) -> Iterator[str]:
    state = f"closed since {moment(shown.closed_at)} UTC" if shown.closed_at else f"{shown.status}, at {shown.phase}"
    yield f"{safe(shown.slug)} is {safe(state)}"
    if shown.export is not None:
        yield f"export  {size(shown.export.bytes)}, {shown.export.files} files, SHA-256 {safe(shown.export.sha256)}"
    if shown.error:
        yield safe(shown.error)
