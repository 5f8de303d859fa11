"""The commands on the platform itself: what people see of their session, their questions, and the log."""

import json

import pytest

from tests.orchestrator.conftest import Agents, knows_not
from tests.people import PASSWORD, Person

QUESTION = "When is the VAT return due?"
TAX = {"domain": "finance", "keywords": ("vat", "invoice"), "description": "Taxes of small companies."}
PEOPLE = {"domain": "people", "keywords": ("holiday", "salary"), "description": "Leave and pay."}


async def test_whoami_names_the_person_and_what_they_may_do(cli, alice: Person, address):
    shown = await cli("whoami")
    told = json.loads((await cli("whoami", "-o", "json")).data)

    assert shown.data.startswith(
        f"{alice.name} of Acme at {address}\nuser id      {alice.user_id}\nroles        admin\n"
    )
    assert "agent:create" in shown.data
    assert told == (await alice.get("/api/v4/me")).json()["data"] | {
        "session_id": told["session_id"],
        "session_expires_at": told["session_expires_at"],
    }


async def test_a_wrong_password_is_exit_4(cli, alice: Person, address):
    ended = await cli(
        "login", "--api-url", address, "--username", alice.name, "--password-stdin", stdin="not the password\n"
    )

    assert (ended.exit_code, ended.data) == (4, "")
    assert "request " in ended.talk


async def test_after_logout_what_was_stored_is_worth_nothing(cli, home):
    stored = home.credentials.read_text()

    assert (await cli("logout")).exit_code == 0

    home.credentials.write_text(stored)
    ended = await cli("whoami")
    assert ended.exit_code == 4
    assert "pc-hybrid login" in ended.talk


async def test_a_key_is_made_used_rotated_and_revoked(cli, address):
    made = json.loads((await cli("api-key", "create", "nightly", "--permission", "profile:read", "-o", "json")).data)
    using = {"PCH_API_URL": address, "PCH_TOKEN": made["key"]}
    assert (await cli("whoami", **using)).exit_code == 0
    assert (await cli("audit", "list", **using)).exit_code == 7

    listed = (await cli("api-key", "list")).data
    assert made["hint"] in listed
    assert made["key"] not in listed

    rotated = await cli("api-key", "rotate", made["id"], "--overlap", "0", "-o", "json")
    assert (await cli("whoami", **using)).exit_code == 4
    new = json.loads(rotated.data)
    assert (await cli("api-key", "revoke", new["id"])).exit_code == 0
    assert (await cli("whoami", PCH_API_URL=address, PCH_TOKEN=new["key"])).exit_code == 4
    assert (await cli("api-key", "revoke", new["id"])).exit_code == 3


async def test_a_key_is_shown_once_with_what_to_do_with_it(cli):
    ended = await cli("api-key", "create", "nightly")

    assert ended.data.startswith("pcat_")
    assert "PCH_TOKEN" in ended.talk
    assert ended.data.strip() not in ended.talk


async def test_a_token_that_is_no_longer_good_is_renewed_without_a_word(cli, home):
    stored = json.loads(home.credentials.read_text())
    ((name, context),) = stored["contexts"].items()
    context["credentials"]["access_token"] = "no.longer.good"
    home.credentials.write_text(json.dumps(stored))

    ended = await cli("whoami")

    assert (ended.exit_code, ended.talk) == (0, "")
    assert json.loads(home.credentials.read_text())["contexts"][name]["credentials"]["access_token"] != "no.longer.good"


async def test_reports_of_a_platform_that_did_nothing_yet_hold_no_invented_figure(cli):
    usage = await cli("analytics", "usage")
    realtime = await cli("analytics", "performance")

    assert usage.exit_code == realtime.exit_code == 0
    assert {line.split()[-1] for line in usage.data.splitlines()[2:] if line} <= {"0", "-", "$0.0000"}
    assert "Response time     -" in realtime.data


async def test_an_answer_comes_with_its_lines_and_the_next_step(cli, agents: Agents):
    await agents.start("tax_advisor", **TAX)

    ended = await cli("ask", QUESTION)

    assert ended.data == f"About: {QUESTION}\n\n[1] vat/returns.md:14-19  (3f2c9d1)\n"
    facts, rate, follow_up = ended.talk.splitlines()
    assert facts.startswith("tax_advisor · ")
    assert rate.startswith("Rate it:    pc-hybrid feedback ")
    assert follow_up.startswith("Follow up:  pc-hybrid ask --session ")


async def test_what_is_printed_as_the_next_step_works_when_it_is_typed(cli, agents: Agents):
    agent = await agents.start("tax_advisor", **TAX)
    _, rate, follow_up = (await cli("ask", QUESTION)).talk.splitlines()

    rated = await cli(*rate.split()[3:], "--comment", "just right")
    asked = await cli(*follow_up.split()[3:-1], "And the next one?")

    assert rated.exit_code == 0
    assert rated.data.startswith("Rated 5 of 5: execution ")
    assert asked.exit_code == 0
    question, context = agent.asked[1]
    assert question == "And the next one?"
    assert context[0] == QUESTION


async def test_json_is_the_whole_answer_of_the_platform(cli, alice: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX)

    answer = json.loads((await cli("ask", QUESTION, "-o", "json")).data)

    stored = (await alice.get(f"/api/v4/executions/{answer['execution_id']}")).json()["data"]
    assert answer == stored


async def test_where_no_agent_fits_those_that_were_weighed_are_named(cli, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    await agents.start("people_desk", **PEOPLE)

    ended = await cli("ask", "How do submarines dive?")

    assert ended.exit_code == 0
    assert "no agent · " in ended.talk
    assert "Rate it" not in ended.talk


async def test_an_agent_that_does_not_know_says_so(cli, agents: Agents):
    await agents.start("tax_advisor", knows_not, **TAX)

    ended = await cli("ask", QUESTION, "--agent", "tax_advisor")

    assert (ended.exit_code, ended.data) == (0, "I do not know.\n")


async def test_a_question_can_come_on_standard_input(cli, agents: Agents):
    agent = await agents.start("tax_advisor", **TAX)

    await cli("ask", "-", stdin=f"{QUESTION}\n")

    assert agent.asked[0][0] == QUESTION


async def test_an_agent_that_nobody_made_is_exit_3(cli):
    ended = await cli("ask", QUESTION, "--agent", "nobody_here")

    assert (ended.exit_code, ended.data) == (3, "")


async def test_an_empty_question_is_exit_2_and_names_the_field(cli):
    ended = await cli("ask", " ")

    assert ended.exit_code == 2
    assert "/query" in ended.talk


async def test_executions_are_listed_with_ids_that_feedback_takes(cli, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    await cli("ask", QUESTION)

    heads, newest, *_ = (await cli("execution", "list", "--limit", "1")).data.splitlines()

    assert heads.split() == ["ID", "ASKED", "STATUS", "AGENT", "TIME", "TOKENS", "COST", "QUESTION"]
    assert newest.endswith(QUESTION)
    assert (await cli("feedback", newest.split()[0], "4")).exit_code == 0


async def test_a_beginning_that_many_ids_share_is_not_guessed(cli, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    await cli("ask", QUESTION)
    await cli("ask", QUESTION)

    ended = await cli("feedback", "0", "4")

    assert ended.exit_code == 2
    assert 'executions begin with "0"' in ended.talk
    assert "Next: Give more of the id." in ended.talk


@pytest.mark.parametrize("identifier", ["ffffffff", "ffffffff-ffff-7fff-bfff-ffffffffffff"])
async def test_an_execution_that_nobody_asked_is_exit_3(cli, identifier):
    assert (await cli("feedback", identifier, "4")).exit_code == 3


async def test_another_organisations_execution_is_exit_3(cli, stranger: Person, agents: Agents):
    await agents.start("their_desk", org_id=stranger.org_id, **TAX)
    theirs = (await stranger.post("/api/v4/execute", {"query": QUESTION})).json()["data"]["execution_id"]

    assert (await cli("feedback", theirs, "1")).exit_code == 3


async def test_the_log_is_listed_and_filtered(cli, alice: Person, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    await cli("ask", QUESTION)

    mine = await cli("audit", "list", "--actor", str(alice.user_id), "-o", "json")
    one = json.loads((await cli("audit", "list", "--action", "execution.complete", "--limit", "1", "-o", "json")).data)
    table = (await cli("audit", "list", "--request-id", one[0]["context"]["request_id"])).data

    assert {event["user_id"] for event in json.loads(mine.data)} == {str(alice.user_id)}
    assert table.splitlines()[0].split() == ["TIME", "WHO", "ACTION", "ON", "OUTCOME", "REQUEST"]
    assert one[0]["context"]["request_id"] in table


async def test_times_without_an_offset_are_utc(cli):
    everything = json.loads((await cli("audit", "list", "-o", "json")).data)
    nothing = json.loads((await cli("audit", "list", "--until", "2020-01-01", "-o", "json")).data)
    since = json.loads((await cli("audit", "list", "--since", "2020-01-01T00:00:00+0100", "-o", "json")).data)

    assert everything
    assert since
    assert nothing == []


async def test_who_may_not_is_exit_7(cli, person, address):
    viewer = await person("viewer")
    await cli("login", "--api-url", address, "--username", viewer.name, "--password-stdin", stdin=f"{PASSWORD}\n")

    ended = await cli("audit", "list")

    assert ended.exit_code == 7
    assert "audit:read" in ended.talk


async def test_data_goes_to_a_file_when_one_is_named(cli, home):
    ended = await cli("execution", "list", "-o", "json", "--output-file", "executions.json")

    assert ended.data == ""
    assert ended.talk.startswith("Written to executions.json\n")
    assert isinstance(json.loads((home.path / "executions.json").read_text()), list)


async def test_quiet_leaves_data_and_nothing_else(cli, agents: Agents):
    await agents.start("tax_advisor", **TAX)

    ended = await cli("ask", QUESTION, "--quiet")

    assert ended.data.startswith("About: ")
    assert ended.talk == ""
