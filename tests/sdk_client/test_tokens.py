"""A signed-in program goes on working although its access tokens live for minutes."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from promptcraft_sdk.client import ApiError, AsyncClient, Client, Credentials, api
from tests.sdk_client.troubled_server import ADA, TroubledServer, data, problem, token, troubled_server

ME = "GET /api/v4/me"
TOKEN = "POST /auth/token"
EXECUTION = UUID(int=1)
FEEDBACK = f"POST /api/v4/executions/{EXECUTION}/feedback"
EXPIRED = problem(401, code="token_expired")


@pytest.fixture
def server() -> Iterator[TroubledServer]:
    with troubled_server() as running:
        yield running


def credentials(*, lives: float = 300, session: str = "session-1") -> Credentials:
    return Credentials(
        username="ada",
        access_token="old",
        expires_at=datetime.now(UTC) + timedelta(seconds=lives),
        session=session,
    )


def test_signing_in_gives_credentials_and_the_token_is_used(server):
    server.on(TOKEN, token("new"))
    server.on(ME, ADA)
    kept: list[Credentials] = []

    with Client(server.url, on_renewal=kept.append) as client:
        client.sign_in("ada", "secret")
        client.send(api.me())

    assert [one.username for one in kept] == ["ada"]
    assert server.asked[0].body == b'{"username":"ada","password":"secret"}'
    assert [asked.token for asked in server.asked] == ["", "new"]


def test_a_token_that_the_platform_calls_expired_is_renewed_and_the_request_sent_again(server):
    server.on(
        FEEDBACK, EXPIRED, data({"execution_id": str(EXECUTION), "rating": 5, "given_at": "2026-01-01T00:00:00Z"})
    )
    server.on(TOKEN, token("new"))
    kept: list[Credentials] = []

    with Client(server.url, credentials(), on_renewal=kept.append) as client:
        client.send(api.give_feedback(EXECUTION, 5))

    assert server.paths() == [FEEDBACK, TOKEN, FEEDBACK]
    assert [asked.token for asked in server.asked] == ["old", "", "new"]
    assert server.asked[1].body == b'{"session":"session-1"}'
    assert [one.access_token for one in kept] == ["new"]


def test_a_token_about_to_expire_is_renewed_before_it_is_used(server):
    server.on(TOKEN, token("new"))
    server.on(ME, ADA)

    with Client(server.url, credentials(lives=5)) as client:
        client.send(api.me())
        client.send(api.me())

    assert server.paths() == [TOKEN, ME, ME]


def test_a_session_alone_is_enough(server):
    server.on(TOKEN, token("new"))
    server.on(ME, ADA)

    with Client(server.url, Credentials(session="session-1")) as client:
        assert client.send(api.me()).username == "ada"


def test_when_the_session_has_ended_the_caller_hears_it_once(server):
    server.on(ME, EXPIRED)
    server.on(TOKEN, problem(401, code="session_ended", next_step="Sign in with `pc-hybrid login`."))

    with Client(server.url, credentials()) as client, pytest.raises(ApiError) as caught:
        client.send(api.me())

    assert (caught.value.code, caught.value.next_step) == ("session_ended", "Sign in with `pc-hybrid login`.")
    assert server.paths() == [ME, TOKEN]


def test_a_token_refused_even_when_new_is_not_renewed_for_ever(server):
    server.on(ME, EXPIRED)
    server.on(TOKEN, token("new"))

    with Client(server.url, credentials()) as client, pytest.raises(ApiError):
        client.send(api.me())

    assert server.paths() == [ME, TOKEN, ME]


def test_without_a_session_a_refused_token_is_the_end(server):
    server.on(ME, EXPIRED)

    with Client(server.url, credentials(session="")) as client, pytest.raises(ApiError) as caught:
        client.send(api.me())

    assert caught.value.status == 401
    assert server.paths() == [ME]


def test_a_rotated_session_replaces_the_old_one(server):
    server.on(TOKEN, token("new", session="session-2", expires_in=5))
    server.on(ME, ADA)

    with Client(server.url, credentials(lives=5)) as client:
        client.send(api.me())
        client.send(api.me())

    renewals = [asked.body for asked in server.asked if asked.path == "/auth/token"]
    assert renewals == [b'{"session":"session-1"}', b'{"session":"session-2"}']


async def test_many_tasks_at_once_renew_once(server):
    server.on(TOKEN, token("new"))
    server.on(ME, ADA)

    async with AsyncClient(server.url, credentials(lives=5)) as client:
        people = await asyncio.gather(*(client.send(api.me()) for _ in range(8)))

    assert [me.username for me in people] == ["ada"] * 8
    assert server.paths().count(TOKEN) == 1


async def test_an_asynchronous_program_survives_an_expired_token_too(server):
    server.on(ME, EXPIRED, ADA)
    server.on(TOKEN, token("new"))

    async with AsyncClient(server.url, credentials()) as client:
        assert (await client.send(api.me())).username == "ada"


def test_no_secret_shows_when_credentials_are_printed(server):
    server.on(TOKEN, token("access-secret", session="session-secret"))

    with Client(server.url) as client:
        shown = repr(client.sign_in("ada", "secret")) + repr(client.send(api.renew("session-secret")))

    assert "secret" not in shown
