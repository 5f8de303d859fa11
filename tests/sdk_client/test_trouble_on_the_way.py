"""What a program sees when the platform cannot be reached, says no, or answers with something that it would not."""

import socket
from collections.abc import Iterator
from uuid import UUID

import pytest

from promptcraft_sdk.client import ApiError, Client, TimedOut, UnexpectedAnswer, Unreachable, api
from promptcraft_sdk.client.wire import Call
from tests.sdk_client.troubled_server import (
    TroubledServer,
    break_off,
    data,
    drip,
    hang,
    problem,
    raw,
    reset,
    troubled_server,
)

REALTIME = "GET /api/v4/analytics/realtime"
EXECUTION = UUID(int=1)
KEYS = "POST /api/v4/api-keys"
FEEDBACK = f"POST /api/v4/executions/{EXECUTION}/feedback"


@pytest.fixture
def server() -> Iterator[TroubledServer]:
    with troubled_server() as running:
        yield running


@pytest.fixture
def client(server: TroubledServer) -> Iterator[Client]:
    with Client(server.url) as client:
        yield client


def feedback() -> Call[object]:
    return api.give_feedback(EXECUTION, 5)


def short(call: Call[object]) -> Call[object]:
    return Call(call.method, call.template, call.read, time_limit=0.2)


@pytest.mark.parametrize("fault", [reset, break_off])
def test_a_question_whose_connection_broke_is_asked_once_more(server, client, fault):
    server.on(REALTIME, fault, data({"queue_length": 3}))

    assert client.send(api.realtime()).queue_length == 3


@pytest.mark.parametrize("fault", [reset, break_off])
def test_a_request_that_changes_something_is_never_sent_twice(server, client, fault):
    server.on(KEYS, fault, data({}))

    with pytest.raises(Unreachable):
        client.send(api.create_api_key("nightly"))

    assert server.paths() == [KEYS]


@pytest.mark.parametrize("fault", [reset, break_off])
def test_a_request_with_a_key_is_sent_again_with_the_same_until_the_first_is_done(server, client, fault):
    in_use = problem(409, code="idempotency_key_in_use", title="still being worked on")
    given = {"rating": 5, "comment": "", "execution_id": str(EXECUTION), "given_at": "2026-01-01T00:00:00Z"}
    server.on(FEEDBACK, fault, in_use, data(given))

    assert client.send(feedback()).rating == 5

    keys = [asked.key for asked in server.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert keys[0] != feedback().headers("")["Idempotency-Key"]


def test_a_key_that_somebody_else_uses_is_not_waited_for(server, client):
    server.on(FEEDBACK, problem(409, code="idempotency_key_in_use", title="still being worked on"))

    with pytest.raises(ApiError, match="still being worked on"):
        client.send(feedback())

    assert server.paths() == [FEEDBACK]


@pytest.mark.parametrize("fault", [hang, drip])
def test_an_answer_that_does_not_come_in_time_is_not_waited_for(server, client, fault):
    server.on(REALTIME, fault)

    with pytest.raises(TimedOut, match=r"within 0\.2 s"):
        client.send(short(api.realtime()))


def test_where_nobody_listens_the_address_is_named():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with Client(url) as client, pytest.raises(Unreachable) as caught:
            client.send(api.realtime())

    assert caught.value.base_url == url


@pytest.mark.parametrize("body", [b"", b"<html>welcome</html>", b'{"data": 7}', b"\xff\xfe", b"[]"])
def test_something_else_than_the_platform_is_recognised(server, client, body):
    server.on(REALTIME, raw(body))

    with pytest.raises(UnexpectedAnswer, match="GET /api/v4/analytics/realtime answered 200"):
        client.send(api.realtime())


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b'{"title": 7}', b"[1]"])
def test_a_failure_without_a_problem_document_is_named_by_its_status(server, client, body):
    server.on(REALTIME, raw(body, 502, X_Request_Id="r-7"))

    with pytest.raises(ApiError) as caught:
        client.send(api.realtime())

    refusal = caught.value
    assert (refusal.status, refusal.code, refusal.title, refusal.request_id) == (502, "http_502", "Bad Gateway", "r-7")


def test_a_refusal_says_all_that_its_problem_document_says(server, client):
    server.on(
        FEEDBACK,
        problem(
            422,
            code="invalid",
            title="The request holds values that are not usable",
            detail="the rating is not usable",
            next_step="Correct the named fields and send it again.",
            errors=[{"pointer": "/rating", "detail": "at most 5", "code": "less_than_equal"}, "nonsense"],
        ),
    )

    with pytest.raises(ApiError) as caught:
        client.send(feedback())

    refusal = caught.value
    assert (refusal.status, refusal.code, refusal.request_id) == (422, "invalid", "req-1")
    assert str(refusal) == "the rating is not usable"
    assert refusal.next_step == "Correct the named fields and send it again."
    assert [(one.pointer, one.detail) for one in refusal.errors] == [("/rating", "at most 5")]


def test_a_redirect_does_not_carry_the_token_elsewhere(server, client):
    server.on(REALTIME, raw(b"", 307, Location="/api/v4/me"))

    with pytest.raises(ApiError) as caught:
        client.send(api.realtime())

    assert caught.value.status == 307
    assert server.paths() == [REALTIME]


def test_what_a_newer_platform_says_besides_is_kept(server, client):
    server.on(REALTIME, data({"queue_length": 3, "new_figure": {"deep": [1]}}))

    answer = client.send(api.realtime())

    assert answer.model_dump(mode="json", exclude_unset=True) == {"queue_length": 3, "new_figure": {"deep": [1]}}


def test_a_name_cannot_lead_to_another_route(server, client):
    with pytest.raises(ApiError):
        client.send(api.agent("../../../auth/logout?x=#"))

    assert server.paths() == ["GET /api/v4/admin/agents/..%2F..%2F..%2Fauth%2Flogout%3Fx%3D%23"]
