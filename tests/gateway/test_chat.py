import asyncio
import json
from decimal import Decimal

import pytest

from promptcraft.kernel.audit.catalogue.gateway import (
    MODEL_CALL_DISCONNECTED,
    MODEL_CALL_FAILED,
    MODEL_CALLED,
)
from promptcraft.kernel.audit.catalogue.kernel import REQUEST_INVALID
from tests.gateway.conftest import CHAT, HELLO, calls, taken_in, until
from tests.gateway.provider import complains_midway, hangs, refuses, slowly, stops_midway, streams


def events_of(content: str) -> list[str]:
    return [line.removeprefix("data: ") for line in content.splitlines() if line]


def texts_of(content: str) -> str:
    chunks = [json.loads(event) for event in events_of(content) if event != "[DONE]"]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk.get("choices"))


async def test_answer_reaches_the_caller_as_the_provider_gave_it_and_is_on_the_record(alice, provider, platform):
    provider.will()

    answer = await alice.post(CHAT, HELLO)

    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    assert await alice.events() == [MODEL_CALLED.id]
    [call] = await calls(alice)
    # gpt-4o on Azure: $2.50 a million tokens in, $10 a million out
    assert (call["status"], call["provider"], call["input_tokens"], call["output_tokens"], call["cost"]) == (
        "completed", "azure", 1000, 100, Decimal("0.0035"),
    )  # fmt: skip


async def test_cost_of_a_persons_own_calls_is_in_the_insights(alice, person, provider, platform):
    analyst = await person("analyst", groups=("data-team",))
    provider.will()
    await analyst.post(CHAT, HELLO)
    await taken_in(platform)

    report = (await analyst.get("/api/v4/analytics/insights", time_range="7d", user_filter=str(analyst.user_id))).json()

    assert report["data"]["summary"]["total_cost"] == 0.0035
    assert sum(bucket["model_cost"] for bucket in report["data"]["trends"]["cost_breakdown"]) == 0.0035


async def test_parts_of_a_stream_arrive_while_the_model_still_works(live, alice, provider):
    go_on = asyncio.Event()
    provider.will(slowly("Hel", "lo", go_on=go_on))

    async with live.stream("POST", CHAT, json={**HELLO, "stream": True}) as answer:
        parts = answer.aiter_text()
        first = await anext(parts)
        go_on.set()
        rest = "".join([part async for part in parts])

    assert texts_of(first) == "Hel"
    assert events_of(rest)[-1] == "[DONE]"
    assert texts_of(first + rest) == "Hello"
    [call] = await calls(alice)
    assert (call["status"], call["streamed"], call["output_tokens"]) == ("completed", True, 100)


@pytest.mark.parametrize("asked", [True, False])
async def test_usage_ends_a_stream_only_where_it_was_asked_for(alice, provider, asked):
    provider.will()

    answer = await alice.post(CHAT, {**HELLO, "stream": True, "stream_options": {"include_usage": asked}})

    told = [json.loads(event).get("usage") for event in events_of(answer.text) if event != "[DONE]"]
    assert [usage for usage in told if usage] == ([provider_usage()] if asked else [])
    assert (await calls(alice))[0]["input_tokens"] == 1000


def provider_usage():
    return {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


async def test_tools_and_what_the_platform_does_not_know_are_passed_on(alice, provider):
    provider.will()
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    asked = {**HELLO, "tools": [tool], "tool_choice": "auto", "something_new": {"deep": [1, None]}}

    await alice.post(CHAT, asked)

    assert provider.asked[0].document == asked
    assert provider.asked[0].path == "/openai/v1/chat/completions"
    assert provider.asked[0].headers["api-key"] == "azure-key"
    assert "authorization" not in provider.asked[0].headers


async def test_tool_calls_of_a_stream_are_passed_on(alice, provider):
    call = {"index": 0, "id": "t1", "function": {"name": "f", "arguments": '{"usage": {"error": "[DONE]"}}'}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}

    async def calls_a_tool(exchange):
        await exchange.start(200, "text/event-stream")
        await exchange.event(chunk)
        await exchange.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
        await exchange.event(b"[DONE]")
        await exchange.part(b"", more=False)

    provider.will(calls_a_tool)

    answer = await alice.post(CHAT, {**HELLO, "stream": True})

    assert json.loads(events_of(answer.text)[0]) == chunk


async def test_events_cut_anywhere_arrive_whole(alice, provider):
    async def in_crumbs(exchange):
        await exchange.start(200, "text/event-stream")
        chunk = b'{"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}'
        whole = b"data: " + chunk + b"\r\n\r\ndata: [DONE]\r\n\r\n"
        for at in range(len(whole)):
            await exchange.part(whole[at : at + 1])
        await exchange.part(b"", more=False)

    provider.will(in_crumbs)

    answer = await alice.post(CHAT, {**HELLO, "stream": True})

    assert texts_of(answer.text) == "Hello"
    assert events_of(answer.text)[-1] == "[DONE]"


async def test_busy_provider_is_asked_once_more(alice, provider):
    provider.will(refuses(429, retry_after="0.01"))

    answer = await alice.post(CHAT, HELLO)

    assert answer.status_code == 200
    assert [asked.by for asked in provider.asked] == ["openai", "openai"]
    assert (await calls(alice))[0]["attempts"] == 2


async def test_failing_provider_is_followed_by_the_next(alice, provider):
    provider.will(refuses(500), refuses(500))

    answer = await alice.post(CHAT, HELLO)

    assert answer.status_code == 200
    assert [asked.by for asked in provider.asked] == ["openai", "openai", "other"]
    assert provider.asked[-1].headers["authorization"] == "Bearer other-key"
    assert (await calls(alice))[0]["provider"] == "openai"


async def test_where_all_are_busy_the_caller_is_told_when_to_come_back(alice, provider):
    provider.will(refuses(429, retry_after="30"), refuses(429, retry_after="20"))

    answer = await alice.post(CHAT, HELLO)

    problem = answer.json()
    assert (answer.status_code, answer.headers["retry-after"], problem["code"]) == (429, "20", "model_busy")
    assert problem["error"]["type"] == "rate_limit_error"
    assert await alice.events() == [MODEL_CALL_FAILED.id]


async def test_refused_request_is_told_as_the_provider_put_it_and_asked_of_nobody_else(alice, provider):
    provider.will(refuses(400, "temperature must be at most 2"))

    answer = await alice.post(CHAT, HELLO)

    problem = answer.json()
    assert answer.status_code == 400
    assert "temperature must be at most 2" in problem["error"]["message"]
    assert problem["error"]["request_id"] == problem["request_id"] == answer.headers["x-request-id"]
    assert len(provider.asked) == 1
    assert await alice.events() == [MODEL_CALL_FAILED.id]


@pytest.mark.parametrize("behaviour", [stops_midway, complains_midway])
async def test_stream_that_breaks_off_ends_with_an_error_and_is_not_asked_of_another(alice, provider, behaviour):
    provider.will(behaviour)

    answer = await alice.post(CHAT, {**HELLO, "stream": True})

    last = json.loads(events_of(answer.text)[-1])
    assert texts_of(answer.text) == "Half an ans"
    assert last["error"]["code"] == "model_failed"
    assert last["error"]["request_id"] == answer.headers["x-request-id"]
    assert len(provider.asked) == 1
    assert await alice.events() == [MODEL_CALL_FAILED.id]
    assert (await calls(alice))[0]["cost"] is None


@pytest.mark.parametrize(
    "lie",
    [
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": "many", "completion_tokens": 1},
        {"prompt_tokens": 10**12, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
        {"completion_tokens": 1},
    ],
)
async def test_usage_that_cannot_be_is_not_believed(alice, provider, lie):
    provider.will(streams("Hello", usage=lie))

    answer = await alice.post(CHAT, {**HELLO, "stream": True})

    assert texts_of(answer.text) == "Hello"
    [call] = await calls(alice)
    assert (call["status"], call["input_tokens"], call["output_tokens"], call["cost"]) == (
        "completed",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("streamed", [True, False])
async def test_caller_who_hangs_up_ends_the_providers_work(live, alice, provider, streamed):
    provider.will(slowly("Hel", "lo", go_on=asyncio.Event()) if streamed else hangs)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1), live.stream("POST", CHAT, json={**HELLO, "stream": streamed}) as answer:
            await answer.aread()

    await asyncio.wait_for(provider.hung_up.wait(), 5)
    assert await until(alice.events, [MODEL_CALL_DISCONNECTED.id]) == [MODEL_CALL_DISCONNECTED.id]
    [call] = await calls(alice)
    assert (call["status"], call["cost"]) == ("disconnected", None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"messages": [{}]}, "/model"),
        ({"model": 1, "messages": [{}]}, "/model"),
        ({"model": "m", "messages": []}, "/messages"),
        ({**HELLO, "stream": "yes"}, "/stream"),
        ({**HELLO, "max_tokens": -1}, "/max_tokens"),
        ([], ""),
    ],
)
async def test_unusable_request_names_what_is_wrong_and_reaches_no_provider(alice, provider, body, pointer):
    provider.will()

    answer = await alice.post(CHAT, body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert provider.asked == []
    assert await alice.events() == [REQUEST_INVALID.id]


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"model": "m", "messages": ['])
async def test_body_that_is_no_json_is_refused(alice, content):
    answer = await alice.client.post(CHAT, content=content)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_body_that_is_nested_without_end_is_refused(alice):
    answer = await alice.client.post(CHAT, content=b'{"model": "m", "messages": [' + b"[" * 2000)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_caller_without_a_token_is_told_as_an_openai_client_expects(nobody):
    answer = await nobody.post(CHAT, json=HELLO)

    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


async def test_viewer_may_list_models_and_ask_none(person, provider):
    viewer = await person("viewer")

    listed = await viewer.get("/api/v4/models/v1/models")
    refused = await viewer.post(CHAT, HELLO)

    assert [model["id"] for model in listed.json()["data"]] == ["gpt-4o", "gpt-4o-mini"]
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_error")
