"""One-time codes as authenticators make them, and recovery codes for who lost theirs."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import text

from promptcraft.identity import reset_password
from promptcraft.kernel import clock
from promptcraft.kernel.db import system_unit_of_work, unit_of_work
from tests.conftest import Arrives, Platform
from tests.people import PASSWORD, Person

FACTOR = "/api/v4/me/second-factor"
REQUIRED = ("second_factor_required", 401)


class Authenticator:
    """What a phone does with a secret."""

    def __init__(self, secret: str) -> None:
        self._codes = TOTP(base64.b32decode(secret), 6, SHA1(), 30)  # noqa: S303 - RFC 6238's

    def code(self, later: timedelta = timedelta()) -> str:
        return self._codes.generate(int((clock.now() + later).timestamp())).decode()


async def enrolled(somebody: Person) -> tuple[Authenticator, list[str]]:
    begun = (await somebody.post(FACTOR)).json()["data"]
    authenticator = Authenticator(begun["secret"])
    confirmed = await somebody.post(f"{FACTOR}/confirm", {"code": authenticator.code()})
    assert confirmed.status_code == 200, confirmed.text
    return authenticator, confirmed.json()["data"]["recovery_codes"]


async def sign_in(nobody: httpx.AsyncClient, somebody: Person, code: str | None = None) -> httpx.Response:
    body: dict[str, Any] = {"username": somebody.name, "password": PASSWORD} | ({"code": code} if code else {})
    return await nobody.post("/auth/token", json=body)


def told(answer: httpx.Response) -> tuple[str, int]:
    return answer.json().get("code", ""), answer.status_code


async def test_signing_in_needs_a_code_once_it_is_set_up(alice: Person, nobody: httpx.AsyncClient):
    authenticator, _ = await enrolled(alice)

    assert told(await sign_in(nobody, alice)) == REQUIRED
    assert told(await sign_in(nobody, alice, "000000")) == ("second_factor_refused", 401)
    with clock.use(lambda: datetime.now(UTC) + timedelta(seconds=30)):
        assert (await sign_in(nobody, alice, authenticator.code())).status_code == 200


async def test_a_code_is_good_once_and_of_this_moment(alice: Person, nobody: httpx.AsyncClient):
    authenticator, _ = await enrolled(alice)

    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=5)):
        for off, status in ((-90, 401), (90, 401), (-30, 200), (0, 200), (0, 401), (-30, 401), (30, 200)):
            code = authenticator.code(timedelta(seconds=off))
            assert (await sign_in(nobody, alice, code)).status_code == status, off


async def test_of_two_who_come_with_one_code_at_once_one_gets_in(alice: Person, nobody: httpx.AsyncClient):
    authenticator, codes = await enrolled(alice)

    with clock.use(lambda: datetime.now(UTC) + timedelta(minutes=1)):
        for code in (authenticator.code(), codes[0]):
            answers = await asyncio.gather(*(sign_in(nobody, alice, code) for _ in range(2)))
            assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_a_recovery_code_is_good_once_however_it_is_typed(alice: Person, nobody: httpx.AsyncClient):
    _, codes = await enrolled(alice)
    assert len(set(codes)) == 10

    assert (await sign_in(nobody, alice, codes[0].upper().replace("-", " "))).status_code == 200
    assert told(await sign_in(nobody, alice, codes[0])) == ("second_factor_refused", 401)
    assert (await sign_in(nobody, alice, codes[1])).status_code == 200


async def test_a_wrong_password_is_told_the_same_with_and_without_a_second_factor(
    alice: Person, nobody: httpx.AsyncClient
):
    await enrolled(alice)

    for code in (None, "000000"):
        body = {"username": alice.name, "password": "wrong"} | ({"code": code} if code else {})
        assert told(await nobody.post("/auth/token", json=body)) == ("login_refused", 401)


async def test_guessing_codes_is_throttled(alice: Person, nobody: httpx.AsyncClient):
    await enrolled(alice)

    answers = [await sign_in(nobody, alice, f"{number:06}") for number in range(7)]

    assert [answer.status_code for answer in answers][-1] == 429


async def test_nothing_is_in_force_before_it_was_confirmed(alice: Person, nobody: httpx.AsyncClient):
    first = (await alice.post(FACTOR)).json()["data"]
    second = (await alice.post(FACTOR)).json()["data"]

    wrong = await alice.post(f"{FACTOR}/confirm", {"code": Authenticator(first["secret"]).code()})

    assert told(wrong) == ("wrong_code", 422)
    assert first["secret"] != second["secret"]
    assert second["uri"].startswith("otpauth://totp/PromptCraft-Hybrid:")
    assert (await sign_in(nobody, alice)).status_code == 200


async def test_it_is_removed_with_a_code_and_not_without(alice: Person, nobody: httpx.AsyncClient):
    _, codes = await enrolled(alice)

    assert told(await alice.post(FACTOR)) == ("second_factor_there", 409)
    assert told(await alice.post(f"{FACTOR}/remove", {"code": "000000"})) == ("wrong_code", 422)
    assert (await alice.post(f"{FACTOR}/remove", {"code": codes[0]})).status_code == 204
    assert (await alice.post(f"{FACTOR}/remove", {"code": codes[1]})).status_code == 404
    assert (await sign_in(nobody, alice)).status_code == 200


async def test_whoever_manages_users_takes_it_from_somebody_who_lost_everything(
    alice: Person, person: Arrives, stranger: Person, nobody: httpx.AsyncClient
):
    loser = await person("viewer")
    await enrolled(loser)
    path = f"/api/v4/admin/users/{loser.user_id}/second-factor"

    assert (await stranger.delete(path)).status_code == 404
    assert (await alice.delete(path)).status_code == 200
    assert (await sign_in(nobody, loser)).status_code == 200


async def test_the_owner_of_the_host_takes_it_from_the_first_administrator(
    alice: Person, nobody: httpx.AsyncClient, platform: Platform
):
    await enrolled(alice)

    given = await reset_password(platform.db, alice.name, "root", remove_second_factor=True)

    answer = await nobody.post("/auth/token", json={"username": alice.name, "password": given.password})
    assert answer.status_code == 200


async def test_a_key_sets_nothing_up(alice: Person, nobody: httpx.AsyncClient):
    key = (await alice.post("/api/v4/api-keys", {"name": "x"})).json()["data"]["key"]

    answer = await nobody.post(f"{FACTOR}/remove", json={"code": "1"}, headers={"Authorization": f"Bearer {key}"})

    assert told(answer) == ("not_by_key", 403)


async def test_no_secret_and_no_code_is_in_the_database(alice: Person, platform: Platform):
    begun = (await alice.post(FACTOR)).json()["data"]
    confirmed = await alice.post(f"{FACTOR}/confirm", {"code": Authenticator(begun["secret"]).code()})
    actor = alice.actor

    async with unit_of_work(platform.db, actor) as session:
        tables = ("second_factor", "recovery_code")
        rows = [(await session.execute(text("table identity." + table))).all() for table in tables]

    assert all(rows)
    raw = base64.b32decode(begun["secret"])
    assert not any(raw in row.sealed_secret for row in rows[0])
    assert not any(code in str(rows) for code in confirmed.json()["data"]["recovery_codes"])


async def test_each_step_leaves_its_events(alice: Person, nobody: httpx.AsyncClient, platform: Platform):
    _, codes = await enrolled(alice)
    await sign_in(nobody, alice, codes[0])
    await sign_in(nobody, alice, codes[0])
    await alice.post(f"{FACTOR}/remove", {"code": codes[1]})

    query = text(
        "select canonical::json #>> '{action,operation}' from audit.event"
        " where org_id = :org and canonical::json #>> '{action,resource_id}' = :user"
        " and catalogue_id between 2000 and 2999 and catalogue_id not in (2011, 2012, 2014) order by event_id"
    )
    async with system_unit_of_work(platform.db) as session:
        left = list(await session.scalars(query, {"org": alice.org_id, "user": str(alice.user_id)}))
    assert left == [
        "second_factor.begin", "second_factor.confirm", "recovery_code.use", "login.fail", "recovery_code.use",
        "second_factor.remove",
    ]  # fmt: skip
