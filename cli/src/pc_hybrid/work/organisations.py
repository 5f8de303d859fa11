"""Organisations."""

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import clipped, safe, table
from pc_hybrid.work.directory import show_invitation
from pc_hybrid.work.figures import moment
from promptcraft_sdk.client import Client, api
from promptcraft_sdk.client.schemas import OrganisationEntry

_LONGEST = 100
_HEADS = ("ORGANISATION", "NAME", "STATE", "USERS", "SINCE", "ID")


def list_organisations(terminal: Terminal) -> None:
    with connect() as client:
        everyone = client.send(api.organisations())
    terminal.data(everyone, table(_HEADS, [_row(each) for each in everyone]), columns=OrganisationEntry)


def show(terminal: Terminal, org: str) -> None:
    with connect() as client:
        _print(terminal, found(client, org))


def create(terminal: Terminal, slug: str, name: str, administrator: str) -> None:
    with connect() as client:
        made = client.send(api.found_organisation(slug, name, administrator))
        show_invitation(terminal, made.administrator, client.base_url)


def suspend(terminal: Terminal, org: str) -> None:
    with connect() as client:
        _print(terminal, client.send(api.suspend_organisation(found(client, org).id)))


def resume(terminal: Terminal, org: str) -> None:
    with connect() as client:
        _print(terminal, client.send(api.resume_organisation(found(client, org).id)))


def found(client: Client, wanted: str) -> OrganisationEntry:
    for each in client.send(api.organisations()):
        if wanted in (each.slug, str(each.id)):
            return each
    raise Failure(
        f"there is no organisation {safe(clipped(wanted, _LONGEST))}",
        exit_code=ExitCode.NOT_FOUND,
        next_step="pc-hybrid org list",
    )


def _print(terminal: Terminal, org: OrganisationEntry) -> None:
    terminal.data(org, table(_HEADS, [_row(org)]))


def _row(org: OrganisationEntry) -> list[str]:
    state = "active" if org.active else "suspended"
    if org.offboarding_id is not None:
        state = "closed" if org.closed_at else "offboarding"
    return [org.slug, org.name, state, str(org.users), moment(org.created_at), str(org.id)]
