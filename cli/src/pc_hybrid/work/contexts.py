"""The platforms that this command line knows, and what it goes by."""

from collections.abc import Iterator
from typing import Any

from pc_hybrid import environment
from pc_hybrid.contexts import Target, Told, checked_name, no_such, target
from pc_hybrid.credentials import Context, CredentialStore
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import safe, table
from pc_hybrid.work.figures import UNKNOWN, moment
from pc_hybrid.work.session import checked_address, end_session

_FIELDS = ("name", "in_use", "api_url", "username", "signed_in", "session_expires_at")
_SHOWN = 9


def list_contexts(terminal: Terminal) -> None:
    store = _store()
    known = store.read()
    in_use = target(known, store.file).context if known.contexts else None
    found = [_described(name, context, name == in_use) for name, context in sorted(known.contexts.items())]
    rows = [
        [
            "*" if name == in_use else "",
            name,
            context.api_url,
            (context.credentials.username if context.credentials else "") or UNKNOWN,
            moment(context.credentials.session_expires_at) if context.credentials else "not signed in",
        ]
        for name, context in sorted(known.contexts.items())
    ]
    terminal.data(found, table(("", "CONTEXT", "ADDRESS", "USER", "SESSION UNTIL"), rows), columns=_FIELDS)
    if not rows:
        terminal.say("None here. Make one:  pc-hybrid login --api-url URL")


def use(terminal: Terminal, name: str) -> None:
    store = _store()
    context = store.read().contexts.get(name)
    if context is None:
        raise no_such(name)
    store.use(name)
    terminal.data(_described(name, context, True), [f"Commands talk to {safe(name)} now, at {context.api_url}"])


def add(terminal: Terminal, name: str, api_url: str) -> None:
    store = _store()
    context = Context(api_url=checked_address(terminal, api_url))
    if checked_name(name) in store.read().contexts:
        raise Failure(
            f"there is a context {name} already",
            exit_code=ExitCode.CONFLICT,
            next_step=f"pc-hybrid context remove {name}",
        )
    store.put(name, context)
    terminal.data(_described(name, context, False), [f"{safe(name)} is {context.api_url}"])
    terminal.say(f"Sign in:  pc-hybrid login --context {name}")


def remove(terminal: Terminal, name: str) -> None:
    store = _store()
    context = store.read().contexts.get(name)
    if context is None:
        raise no_such(name)
    store.remove(name)
    if context.credentials is not None:
        end_session(terminal, context.api_url, context.credentials)
    terminal.data({"name": name, "removed": True}, [f"{safe(name)} is forgotten"])


def view(terminal: Terminal, *, show_origin: bool) -> None:
    store = _store()
    values = dict(_values(target(store.read(), store.file), f"{store.file}"))
    rows = [
        [name, told.value or UNKNOWN, *([told.origin, told.source] if show_origin else [])]
        for name, told in values.items()
    ]
    heads = ("VALUE", "", *(("ORIGIN", "FROM") if show_origin else ()))
    found = [
        {"name": name, "value": told.value or None}
        | ({"origin": told.origin, "source": told.source or None} if show_origin else {})
        for name, told in values.items()
    ]
    terminal.data(found, table(heads, rows), columns=tuple(found[0]))


def _store() -> CredentialStore:
    return CredentialStore(environment.read().config_dir)


def _values(chosen: Target, file: str) -> Iterator[tuple[str, Told]]:
    here = environment.read()
    yield "context", chosen.name
    yield "api_url", chosen.api_url
    yield "credentials", _credentials(chosen, file)
    place = here.config_dir_from
    yield "config_dir", Told(f"{here.config_dir}", "environment" if place else "default", place)
    colour = "yes" if here.colour_wanted else "no"
    yield "colour", Told(colour, "environment" if here.colour_from else "default", here.colour_from)


def _credentials(chosen: Target, file: str) -> Told:
    if chosen.token:
        return Told(f"{chosen.token[:_SHOWN]}... ({len(chosen.token)} characters)", "environment", "PCH_TOKEN")
    if chosen.credentials is None:
        return Told("", "default", "")
    until = moment(chosen.credentials.session_expires_at)
    return Told(f"a session of {chosen.credentials.username or UNKNOWN} until {until}", "file", file)


def _described(name: str, context: Context, in_use: bool) -> dict[str, Any]:
    held = context.credentials
    ends = held.session_expires_at if held else None
    return {
        "name": name,
        "in_use": in_use,
        "api_url": context.api_url,
        "username": (held.username or None) if held else None,
        "signed_in": held is not None,
        "session_expires_at": ends.isoformat() if ends else None,
    }
