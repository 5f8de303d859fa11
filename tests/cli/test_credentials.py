"""Signing in: how a password gets in, and how what it is exchanged for is kept."""

import json
import stat

from tests.sdk_client.troubled_server import ADA, data, problem, token, troubled_server

ME = "GET /api/v4/me"


def test_credentials_are_kept_where_only_their_owner_reads_them(home, signed_in):
    assert stat.S_IMODE(home.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.credentials.parent.stat().st_mode) == 0o700
    assert "pw" not in home.credentials.read_text()


def test_at_a_terminal_the_password_is_asked_for_and_not_shown(server, at_terminal):
    server.on("POST /auth/token", token("token-1"))

    ended = at_terminal("login", "--api-url", server.url, keys=[("Username: ", "ada"), ("Password: ", "pa ss")])

    assert ended.exit_code == 0
    assert json.loads(server.asked[0].body) == {"username": "ada", "password": "pa ss"}
    assert "pa ss" not in ended.talk


def test_without_a_terminal_nothing_is_asked(server, run):
    assert run("login", "--api-url", server.url).talk.startswith("Error: --username is missing")
    ended = run("login", "--api-url", server.url, "--username", "ada", stdin="pw\n")

    assert (ended.exit_code, server.asked) == (2, [])
    assert ended.talk.startswith("Error: --password-stdin is missing")


def test_a_wrong_password_is_exit_4_and_stores_nothing(server, run, home):
    server.on("POST /auth/token", problem(401, code="login_failed", detail="The username or the password is wrong."))

    ended = run("login", "--api-url", server.url, "--username", "ada", "--password-stdin", stdin="pw\n")

    assert (ended.exit_code, home.credentials.exists()) == (4, False)


def test_an_expired_token_is_renewed_and_kept_for_the_next_command(signed_in, run):
    signed_in.on(ME, problem(401, code="token_expired"), ADA)
    signed_in.on("POST /auth/token", token("token-2", session="session-2"))

    assert run("whoami").exit_code == 0
    assert run("whoami").exit_code == 0

    assert [asked.token for asked in signed_in.asked] == ["token-1", "", "token-2", "token-2"]


def test_the_token_of_one_platform_never_goes_to_another(signed_in, run):
    with troubled_server() as other:
        ended = run("whoami", PCH_API_URL=other.url)

        assert (ended.exit_code, other.asked) == (4, [])


def test_a_login_elsewhere_leaves_the_first_one_signed_in(signed_in, run):
    signed_in.on(ME, ADA)
    with troubled_server() as other:
        other.on("POST /auth/token", token("other"))
        run("login", "--api-url", other.url, "--username", "ada", "--password-stdin", stdin="pw\n")

    assert run("whoami", PCH_API_URL=signed_in.url).exit_code == 0
    assert run("whoami").talk.startswith(f"Error: cannot reach {other.url}")


def test_a_token_from_the_environment_is_used_and_not_stored(server, run, home):
    server.on(ME, ADA)

    assert run("whoami", PCH_API_URL=server.url, PCH_TOKEN="head.body.signature").exit_code == 0
    assert run("whoami", PCH_API_URL=server.url, PCH_TOKEN="pcat_key").exit_code == 0

    assert [asked.token for asked in server.asked] == ["head.body.signature", "pcat_key"]
    assert not home.credentials.exists()


def test_a_session_credential_in_the_environment_is_refused_with_the_way_that_works(server, run):
    ended = run("whoami", PCH_API_URL=server.url, PCH_TOKEN="pcs_once")

    assert (ended.exit_code, server.asked) == (2, [])
    assert "pc-hybrid api-key create" in ended.talk


def test_a_command_takes_over_what_another_has_renewed_meanwhile(signed_in, run, home):
    """The other one renews between this one's reading of the store and its own need to renew."""

    def elsewhere(handler):
        stored = json.loads(home.credentials.read_text())
        stored["contexts"][stored["current"]]["credentials"] |= {"access_token": "token-9", "session": "session-9"}
        home.credentials.write_text(json.dumps(stored))
        problem(401, code="token_expired")(handler)

    signed_in.on(ME, elsewhere, ADA)

    assert run("whoami").exit_code == 0
    assert [asked.token for asked in signed_in.asked] == ["token-1", "token-9"]


def test_logout_ends_the_session_there_and_here(signed_in, run):
    signed_in.on("POST /auth/logout", data(None))

    assert run("logout").exit_code == 0

    assert signed_in.paths() == ["POST /auth/logout"]
    assert run("whoami").exit_code == 4
    assert run("logout").exit_code == 0


def test_logout_forgets_the_session_even_where_the_platform_is_away(run, server, home):
    with troubled_server() as gone:
        gone.on("POST /auth/token", token("token-1"))
        run("login", "--api-url", gone.url, "--username", "ada", "--password-stdin", stdin="pw\n")

    ended = run("logout")

    assert ended.exit_code == 0
    assert "forgotten here" in ended.talk
    assert "token-1" not in home.credentials.read_text()


def test_a_damaged_store_is_named_with_what_to_do(run, home, signed_in):
    home.credentials.write_text("{")

    ended = run("whoami")

    assert ended.exit_code == 1
    assert ended.talk.startswith(f"Error: {home.credentials} is damaged\nNext: Remove the file")


def test_a_password_on_an_unencrypted_way_is_warned_about(run):
    ended = run("login", "--api-url", "http://platform.invalid", "--username", "a", "--password-stdin", stdin="pw\n")

    assert "Warning: http://platform.invalid is not encrypted" in ended.talk
    assert ended.exit_code == 1


def test_colour_is_for_terminals_that_want_it(at_terminal, run):
    assert "\x1b[31mError:" in at_terminal("whoami").talk
    assert "\x1b" not in at_terminal("whoami", NO_COLOR="1").talk
    assert "\x1b" not in run("whoami").talk


def test_ctrl_c_at_a_question_ends_the_command_with_130(at_terminal, server):
    for keys in ([("Username: ", "^C")], [("Username: ", "ada"), ("Password: ", "^C")]):
        ended = at_terminal("login", "--api-url", server.url, keys=keys)

        assert ended.exit_code == 130
        assert "Traceback" not in ended.talk
    assert server.asked == []
