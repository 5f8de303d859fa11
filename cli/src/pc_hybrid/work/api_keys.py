"""Keys that programs come by."""

from collections.abc import Sequence

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import clipped, safe, table
from pc_hybrid.work.figures import moment, short
from promptcraft_sdk.client import Client, api
from promptcraft_sdk.client.schemas import ApiKey, NewApiKey

_HEADS = ("NAME", "BEGINS", "ID", "EXPIRES", "LAST USED", "MAY")
_LONGEST = 60


def create(terminal: Terminal, name: str, permissions: Sequence[str] | None, days: int | None) -> None:
    with connect() as client:
        key = client.send(api.create_api_key(name, permissions=permissions or None, expires_in_days=days))
    _show_once(terminal, key)


def list_keys(terminal: Terminal) -> None:
    with connect() as client:
        keys = client.send(api.api_keys())
    terminal.data(keys, table(_HEADS, [_row(key) for key in keys]), columns=ApiKey)
    if not keys:
        terminal.say("None here. Make one:  pc-hybrid api-key create NAME")


def show(terminal: Terminal, key: str) -> None:
    with connect() as client:
        found = _found(client, key)
    facts = {
        "name": found.name,
        "begins": f"{found.hint}...",
        "id": str(found.id),
        "of user": str(found.user_id),
        "made": moment(found.created_at),
        "expires": moment(found.expires_at),
        "last used": moment(found.last_used_at),
        "may": ", ".join(found.permissions),
    }
    terminal.data(found, list(table(("", ""), list(facts.items())))[1:])


def rotate(terminal: Terminal, key: str, overlap_hours: int | None) -> None:
    with connect() as client:
        new = client.send(api.rotate_api_key(_found(client, key).id, overlap_hours=overlap_hours))
    _show_once(terminal, new)


def revoke(terminal: Terminal, key: str) -> None:
    with connect() as client:
        found = _found(client, key)
        client.send(api.revoke_api_key(found.id))
    terminal.data(
        {"id": str(found.id), "revoked": True}, [f"{safe(found.name)} ({found.hint}...) opens nothing any more"]
    )


def _show_once(terminal: Terminal, key: NewApiKey) -> None:
    terminal.data(key, [key.key])
    terminal.say(
        f"Lasts until {moment(key.expires_at)} UTC. It is not shown again: keep it, and give it to programs as"
    )
    terminal.say("PCH_TOKEN, or in the header  Authorization: Bearer KEY")


def _row(key: ApiKey) -> list[str]:
    used = moment(key.last_used_at)
    may = clipped(" ".join(key.permissions), _LONGEST)
    return [key.name, f"{key.hint}...", short(key.id), moment(key.expires_at), used, may]


def _found(client: Client, wanted: str) -> ApiKey:
    """The one key that is called, begins or is numbered so."""
    keys = [
        key
        for key in client.send(api.api_keys())
        if wanted in (key.name, key.hint) or str(key.id).startswith(wanted) or wanted.startswith(key.hint)
    ]
    if not keys:
        raise Failure(
            f"there is no key {safe(clipped(wanted, _LONGEST))}",
            exit_code=ExitCode.NOT_FOUND,
            next_step="pc-hybrid api-key list",
        )
    if len(keys) > 1:
        raise Failure(
            f"{len(keys)} keys are called {safe(clipped(wanted, _LONGEST))}",
            exit_code=ExitCode.USAGE,
            next_step="Give the id:  " + ", ".join(str(key.id) for key in keys),
        )
    return keys[0]
