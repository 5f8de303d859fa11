"""Several platforms from one command line: which one is talked to, and what it is sent."""

import json
from collections.abc import Iterator

import pytest

from tests.sdk_client.troubled_server import ADA, TroubledServer, data, token, troubled_server

ME = "GET /api/v4/me"


@pytest.fixture
def other() -> Iterator[TroubledServer]:
    with troubled_server() as running:
        running.on("POST /auth/token", token("token-of-other", session="session-of-other"))
        running.on("POST /auth/logout", data(None))
        running.on(ME, ADA)
        yield running


@pytest.fixture
def both(signed_in: TroubledServer, other: TroubledServer, run) -> tuple[TroubledServer, TroubledServer]:
    """Two platforms: the first is used, the other one is the context `test`, both signed in to."""
    signed_in.on(ME, ADA)
    first = json.loads(run("context", "list", "-o", "json").data)[0]["name"]
    assert login(run, "--context", "test", "--api-url", other.url).exit_code == 0
    assert run("context", "use", first).exit_code == 0
    other.asked.clear()
    return signed_in, other


def login(run, *options: str, **environment: str):
    return run("login", *options, "--username", "ada", "--password-stdin", stdin="pw\n", **environment)


def tokens(server: TroubledServer) -> list[str]:
    return [asked.token for asked in server.asked]


def test_each_platform_hears_its_own_credentials_and_no_others(both, run):
    first, other = both

    for way in ({}, {"PCH_API_URL": first.url}):
        assert run("whoami", **way).exit_code == 0
    for options, way in ((("--context", "test"), {}), ((), {"PCH_CONTEXT": "test"}), ((), {"PCH_API_URL": other.url})):
        assert run("whoami", *options, **way).exit_code == 0

    assert tokens(first) == ["token-1"] * 2
    assert tokens(other) == ["token-of-other"] * 3


def test_the_option_goes_over_the_variables(both, run):
    first, other = both

    assert run("whoami", "--context", "test", PCH_API_URL=first.url, PCH_TOKEN="of.the.first").exit_code == 0

    assert (tokens(first), tokens(other)) == ([], ["token-of-other"])


def test_two_variables_that_name_two_platforms_are_refused(both, run):
    first, other = both

    ended = run("whoami", PCH_CONTEXT="test", PCH_API_URL=first.url)

    assert (ended.exit_code, first.asked, other.asked) == (2, [], [])
    assert "Next: Unset one of the two." in ended.talk


def test_a_context_is_used_until_another_is(both, run):
    first, other = both

    assert run("context", "use", "test").exit_code == 0
    run("whoami")
    listed = {one["name"]: one for one in json.loads(run("context", "list", "-o", "json").data)}

    assert (tokens(first), tokens(other)) == ([], ["token-of-other"])
    assert listed["test"]["in_use"]
    assert sum(one["in_use"] for one in listed.values()) == 1
    assert {one["username"] for one in listed.values()} == {"ada"}
    assert "token" not in json.dumps(listed)


def test_two_people_can_be_signed_in_to_one_platform(signed_in, run):
    signed_in.on(ME, ADA)
    signed_in.on("POST /auth/token", token("token-2"))
    assert login(run, "--context", "second", "--api-url", signed_in.url).exit_code == 0
    first = next(one["name"] for one in json.loads(run("context", "list", "-o", "json").data) if not one["in_use"])
    signed_in.asked.clear()

    run("whoami")
    run("whoami", "--context", first)

    assert tokens(signed_in) == ["token-2", "token-1"]


def test_credentials_cannot_come_to_another_address_by_a_name_that_is_taken(both, run):
    first, _ = both

    assert login(run, "--context", "test", "--api-url", first.url).exit_code == 5
    assert run("context", "add", "test", "--api-url", first.url).exit_code == 5
    assert first.asked == []


def test_a_context_is_added_signed_in_to_and_removed_with_its_session(both, other, run):
    assert run("context", "add", "third", "--api-url", other.url).exit_code == 0
    assert run("whoami", "--context", "third").talk.startswith(f"Error: you are not signed in to {other.url}\nTry:  pc")
    assert login(run, "--context", "third").exit_code == 0
    other.asked.clear()

    assert run("context", "remove", "third").exit_code == 0

    assert other.paths() == ["POST /auth/logout"]
    assert run("whoami", "--context", "third").exit_code == 3
    assert run("context", "remove", "third").exit_code == 3
    assert run("context", "use", "third").exit_code == 3


@pytest.mark.parametrize("name", ["", "-x", "two words", "\x1b[31m", "x" * 65])
def test_a_name_that_cannot_be_typed_is_refused(run, name):
    assert run("context", "add", "--api-url", "http://127.0.0.1:1", "--", name).exit_code == 2


def test_config_view_says_where_each_value_came_from_and_masks_secrets(both, other, run, home):
    def told(*options: str, **environment: str):
        shown = run("config", "view", "--show-origin", "-o", "json", *options, **environment)
        assert "token-" not in shown.data
        assert "session-" not in shown.data
        return {one["name"]: (one["value"], one["origin"], one["source"]) for one in json.loads(shown.data)}

    kept, flagged = told(), told("--context", "test")
    given = told(PCH_API_URL=other.url, PCH_TOKEN="pcat_" + "s" * 40, NO_COLOR="1", PCH_CONFIG_DIR=str(home.path))

    assert kept["api_url"][1:] == ("file", str(home.credentials))
    assert kept["credentials"][0].startswith("a session of ada until ")
    assert (kept["colour"], kept["config_dir"][1]) == (("yes", "default", None), "default")
    assert flagged["context"] == ("test", "flag", "--context")
    assert flagged["api_url"] == (other.url, "file", str(home.credentials))
    assert given["api_url"] == (other.url, "environment", "PCH_API_URL")
    assert given["credentials"] == ("pcat_ssss... (45 characters)", "environment", "PCH_TOKEN")
    assert given["colour"] == ("no", "environment", "NO_COLOR")
    assert given["config_dir"] == (str(home.path), "environment", "PCH_CONFIG_DIR")


def test_config_view_without_anything_shows_the_defaults(run):
    shown = run("config", "view", "--show-origin").data

    assert "api_url      http://127.0.0.1:8000" in shown
    assert "default" in shown
