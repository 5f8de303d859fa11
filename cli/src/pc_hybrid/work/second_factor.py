"""One-time codes of an authenticator."""

import sys

from pc_hybrid.connection import connect
from pc_hybrid.failures import missing
from pc_hybrid.terminal import Terminal, people_here
from promptcraft_sdk.client import ApiError, Client, api
from promptcraft_sdk.client.schemas import RecoveryCodes

_TRIES = 3


def enrol(terminal: Terminal) -> None:
    if not people_here():
        raise missing("a terminal", "the secret is for you alone to see")
    with connect() as client:
        begun = client.send(api.begin_second_factor())
        print(f"Give this to your authenticator:\n\n  {begun.secret}\n  {begun.uri}\n", file=sys.stderr)
        codes = _confirmed(terminal, client)
    terminal.data(codes, codes.recovery_codes)
    terminal.say("These recovery codes work once each, if you lose the authenticator. They are not shown again.")


def remove(terminal: Terminal, code: str) -> None:
    with connect() as client:
        client.send(api.remove_second_factor(code))
    terminal.data({"removed": True}, ["You sign in by password alone again"])


def _confirmed(terminal: Terminal, client: Client) -> RecoveryCodes:
    tries_left = _TRIES
    while True:
        tries_left -= 1
        code = terminal.ask("Code that it shows", "a terminal", "a code of the authenticator")
        try:
            return client.send(api.confirm_second_factor(code))
        except ApiError as refusal:
            if refusal.code != "wrong_code" or not tries_left:
                raise
            terminal.say(f"{refusal.title}. {refusal.next_step}")
