"""-o yaml, -o csv and --jq: the same data in the form that a script or a spreadsheet wants."""

import csv
import io
import json

import pytest
import yaml

from tests.orchestrator.conftest import Agents
from tests.sdk_client.troubled_server import TroubledServer, data

TAX = {"domain": "finance", "keywords": ("vat", "invoice"), "description": "Taxes of small companies."}
NASTY = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1", '=HYPERLINK("http://evil.test")'),
    *("no", "1e3", "0o17", "2026-01-01", "null", "~", "a: b", "# x", "two\nlines\n", "\x1b[31mred", "\u202egnp.exe"),
    *("\U000e0041tag", "", " ", "ünïcode ✓", 'say "hi"', "a,b", "tab\there\nand more", "\r\n"),
]
KEY = {
    "id": "0199aaaa-0000-7000-8000-000000000001",
    "name": "nightly",
    "hint": "pcat_abc",
    "user_id": "0199aaaa-0000-7000-8000-000000000002",
    "permissions": ["execution:run"],
    "created_at": "2026-11-22T10:00:00Z",
    "expires_at": "2026-12-22T10:00:00Z",
    "last_used_at": None,
    "unknown_to_this_client": 1,
}


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


async def test_every_form_says_the_same(cli, agents: Agents):
    await agents.start("tax_advisor", **TAX)
    await cli("ask", "When is the VAT return due?")

    told = json.loads((await cli("execution", "list", "-o", "json")).data)
    read = yaml.safe_load((await cli("execution", "list", "-o", "yaml")).data)
    listed = rows((await cli("execution", "list", "-o", "csv")).data)

    assert read == told
    assert [row["execution_id"] for row in listed] == [entry["execution_id"] for entry in told]
    assert {row["query"] for row in listed} == {"When is the VAT return due?"}


@pytest.mark.parametrize("command", ["agent list", "api-key list", "user list", "execution list", "model list"])
async def test_columns_are_the_same_whether_there_are_rows_or_not(cli, command):
    heads = (await cli(*command.split(), "-o", "csv")).data.splitlines()[0].split(",")

    assert len(heads) == len(set(heads)) > 1
    assert all(head.replace("_", "").replace(".", "").isalpha() for head in heads)


async def test_events_have_a_column_for_each_part(cli):
    await cli("api-key", "create", "of-the-log")

    made = rows((await cli("audit", "list", "--action", "api_key.make", "-o", "csv")).data)

    assert made[0]["action.operation"] == "api_key.make"
    assert made[0]["outcome.status"] == "success"


def test_no_text_is_a_formula_to_a_spreadsheet_or_a_command_to_a_terminal(signed_in: TroubledServer, run):
    keys = [KEY | {"name": text} for text in NASTY]
    signed_in.on("GET /api/v4/api-keys", data(keys))

    shown = {form: run("api-key", "list", "-o", form).data for form in ("csv", "yaml", "json")}

    for text in shown.values():
        assert not {"\x1b", "\u202e", "\U000e0041", "\r"} & set(text)
    assert yaml.safe_load(shown["yaml"]) == json.loads(shown["json"]) == keys
    assert not {row["name"].lstrip(" ")[:1] for row in rows(shown["csv"])} & set("=+-@\t\r\n＝＋－＠")
    assert "unknown_to_this_client" not in shown["csv"]


async def test_jq_picks_and_prints_bare_text_one_a_line(cli, alice):
    names = (await cli("user", "list", "--jq", ".[].username")).data.splitlines()
    whole = (await cli("whoami", "--jq", "{roles, mine: .username}")).data
    quoted = (await cli("whoami", "--jq", ".username", "-o", "json")).data
    table = (await cli("user", "list", "--jq", "map({username, roles})", "-o", "csv")).data

    assert alice.name in names
    assert json.loads(whole) == {"roles": ["admin"], "mine": alice.name}
    assert quoted == f'"{alice.name}"\n'
    assert {"username": alice.name, "roles": '["admin"]'} in rows(table)
    assert yaml.safe_load((await cli("whoami", "--jq", ".roles", "-o", "yaml")).data) == ["admin"]


def test_a_program_that_is_none_is_told_where_before_anything_is_asked(signed_in: TroubledServer, run):
    ended = run("api-key", "create", "nightly", "--jq", ".key |")

    assert (ended.exit_code, ended.data, signed_in.asked) == (2, "", [])
    assert ended.talk.startswith("Error: --jq is not a jq program: syntax error, unexpected end of file")
    assert "line 1, column 6" in ended.talk
    assert "-o json" in ended.talk


async def test_a_program_that_does_not_fit_the_data_says_why(cli):
    ended = await cli("whoami", "--jq", ".roles.name")

    assert (ended.exit_code, ended.data) == (2, "")
    assert 'Error: --jq does not fit the data: Cannot index array with string ("name")' in ended.talk
