"""A second factor from a terminal: set up, asked for at login, removed."""

import asyncio
import base64
import re
import time

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.people import PASSWORD, Person


@pytest.fixture
async def factor(alice: Person) -> tuple[TOTP, list[str]]:
    begun = (await alice.post("/api/v4/me/second-factor")).json()["data"]
    codes = TOTP(base64.b32decode(begun["secret"]), 6, SHA1(), 30)  # noqa: S303 - RFC 6238's
    code = codes.generate(int(time.time())).decode()
    confirmed = await alice.post("/api/v4/me/second-factor/confirm", {"code": code})
    return codes, confirmed.json()["data"]["recovery_codes"]


async def test_login_takes_a_code_and_asks_nobody_who_is_not_there(cli, alice: Person, address, factor):
    login = ("login", "--api-url", address, "--username", alice.name, "--password-stdin")

    without = await cli(*login, stdin=f"{PASSWORD}\n")
    assert (without.exit_code, without.talk.startswith("Error: A code of your second factor is needed")) == (4, True)
    assert (await cli(*login, "--code", factor[1][0], stdin=f"{PASSWORD}\n")).exit_code == 0
    assert (await cli("second-factor", "remove", factor[1][1])).exit_code == 0
    assert (await cli(*login, stdin=f"{PASSWORD}\n")).exit_code == 0


async def test_at_a_terminal_the_code_is_asked_for(at_terminal, alice: Person, address, factor):
    keys = [("Username: ", alice.name), ("Password: ", PASSWORD), ("Code: ", factor[1][0])]

    ended = await asyncio.to_thread(at_terminal, "login", "--api-url", address, keys=keys)

    assert ended.exit_code == 0, ended.talk


async def test_without_a_terminal_no_secret_is_shown(cli):
    ended = await cli("second-factor", "enrol")

    assert (ended.exit_code, ended.data) == (2, "")
    assert not re.search("[A-Z2-7]{32}", ended.talk)
