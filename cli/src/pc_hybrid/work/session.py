"""Signing in and out."""

import getpass
import sys
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from pc_hybrid import environment
from pc_hybrid.connection import connect
from pc_hybrid.contexts import checked_name, name_for, named, target
from pc_hybrid.credentials import Context, CredentialStore, Known
from pc_hybrid.failures import ExitCode, Failure, missing
from pc_hybrid.terminal import Terminal, people_here
from pc_hybrid.text import safe
from promptcraft_sdk.client import ApiError, Client, ClientError, Credentials, api

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def login(
    terminal: Terminal, api_url: str | None, username: str | None, password_stdin: bool, code: str | None
) -> None:
    store = CredentialStore(environment.read().config_dir)
    known = store.read()
    url = checked_address(terminal, api_url or _address_of(known, store))
    context = _context_for(known, url)
    name = username or terminal.ask("Username", "--username", "whom to sign in as")
    with Client(url) as client:
        credentials = _signed_in(terminal, client, name, _password(password_stdin), code)
    store.put(context, Context(api_url=url, credentials=credentials))
    store.use(context)
    ends = credentials.session_expires_at
    result: dict[str, Any] = {
        "context": context,
        "api_url": url,
        "username": name,
        "session_expires_at": ends.isoformat() if ends else None,
    }
    terminal.data(result, [f"Signed in to {url} as {safe(name)}"])
    if credentials.second_factor_owed:
        terminal.warn("here you may do nothing until you have set up a second factor:  pc-hybrid second-factor enrol")


def _signed_in(terminal: Terminal, client: Client, username: str, password: str, code: str | None) -> Credentials:
    try:
        return client.sign_in(username, password, code)
    except ApiError as refusal:
        if refusal.code != "second_factor_required" or not people_here():
            raise
    return client.sign_in(username, password, terminal.ask("Code", "--code", "a code of your second factor"))


def logout(terminal: Terminal) -> None:
    store = CredentialStore(environment.read().config_dir)
    chosen = target(store.read(), store.file)
    url = chosen.api_url.value
    if chosen.context is None or chosen.credentials is None:
        terminal.data({"api_url": url, "signed_out": False}, [f"You were not signed in to {url}"])
        return
    store.keep(chosen.context, url, None)
    end_session(terminal, url, chosen.credentials)
    terminal.data({"api_url": url, "signed_out": True}, [f"Signed out of {url}"])


def end_session(terminal: Terminal, url: str, credentials: Credentials) -> None:
    """End at the platform what is forgotten here already."""
    try:
        with Client(url, credentials) as client:
            client.send(api.sign_out())
    except ApiError as refusal:
        if refusal.status != HTTPStatus.UNAUTHORIZED:
            raise
    except ClientError as error:
        terminal.warn(f"{error}; forgotten here, but there the session lasts until {credentials.session_expires_at}")


def whoami(terminal: Terminal) -> None:
    with connect() as client:
        me = client.send(api.me())
        base_url = client.base_url
    terminal.data(
        me,
        [
            f"{safe(me.username)} of {safe(me.organization.name)} at {base_url}",
            f"user id      {me.user_id}",
            f"roles        {safe(', '.join(me.roles)) or '-'}",
            f"permissions  {safe(', '.join(me.permissions)) or '-'}",
        ],
    )


def _address_of(known: Known, store: CredentialStore) -> str:
    """Where to sign in when nobody says: where commands go."""
    if (wanted := named()) is not None and wanted not in known.contexts:
        raise missing("--api-url", f"there is no context {wanted} yet")
    return target(known, store.file).api_url.value


def _context_for(known: Known, url: str) -> str:
    """The context to keep the credentials in: the one that is named, else the one of the address."""
    wanted = named()
    if wanted is None:
        return name_for(known, url)
    taken = known.contexts.get(checked_name(wanted))
    if taken is not None and taken.api_url != url:
        raise Failure(
            f"the context {wanted} is for {taken.api_url}",
            exit_code=ExitCode.CONFLICT,
            next_step="Give another name with --context, or remove it first:  pc-hybrid context remove " + wanted,
        )
    return wanted


def checked_address(terminal: Terminal, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(
            f'"{url}" is not the address of a platform',
            exit_code=ExitCode.USAGE,
            next_step="pc-hybrid login --api-url http://127.0.0.1:8000",
        )
    if parts.username or parts.password:
        raise Failure(
            "an address with a password in it would be stored and shown",
            exit_code=ExitCode.USAGE,
            next_step="Leave it out of --api-url; use --username and --password-stdin.",
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        terminal.warn(f"{url} is not encrypted: whoever is on the way can read the password")
    return url.rstrip("/")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise Failure(
                "standard input held no password",
                exit_code=ExitCode.USAGE,
                next_step="pc-hybrid login --username NAME --password-stdin < FILE",
            )
        return password
    if not people_here():
        raise missing("--password-stdin", "the password is never an argument")
    return getpass.getpass("Password: ", sys.stderr)
