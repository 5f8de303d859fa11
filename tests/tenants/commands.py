"""What each command of `pc-hybrid` is tried with: the words after its name, for somebody's things."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.agents.conftest import SPEC
from tests.tenants.entries import Things


@dataclass(frozen=True)
class Command:
    """`words` follow the command's name; `stdin` and the file `given.json` hold what it is given.

    `in_a_clone` has it run in a git repository with a branch main.
    """

    words: Callable[[Things], list[str]] = lambda _: []
    stdin: Callable[[Things], str] = lambda _: ""
    file: Callable[[Things], str] = lambda _: "{}"
    reveals: str = ""
    tells_them: str = ""
    in_a_clone: bool = False
    about_the_host: bool = False


OWN = Command()
# Works with what this machine has, as whoever has that; it asks no platform about anybody's things.
HOST = Command(about_the_host=True)
USER = Command(lambda t: [t.user])
AGENT = Command(lambda t: [t.agent])
ORG = Command(lambda t: [t.organisation])
EXECUTION = Command(lambda t: [t.execution])

# One line a command: a new one needs one here, with whatever of another organisation it can be given.
COMMANDS: dict[str, Command] = {
    "up": HOST,
    "down": HOST,
    "config validate": HOST,
    "config view": HOST,
    "context list": HOST,
    "context use": HOST,
    "context add": HOST,
    "context remove": HOST,
    "completion": HOST,
    "doctor": OWN,
    "admin reset-password": HOST,
    "keys rotate": HOST,
    "login": Command(
        lambda t: ["--username", t.username, "--password-stdin"], lambda _: "not the password\n",
        tells_them="an organisation sees who tried the names of its people",
    ),
    "logout": OWN,
    "whoami": OWN,
    "accept-invitation": Command(lambda _: ["--stdin"], lambda t: f"{t.user}\na long new password\n"),
    "ask": Command(lambda t: ["What?", "--agent", t.server, "--session", t.conversation]),
    "feedback": Command(lambda t: [t.execution, "1"]),
    "second-factor enrol": OWN,
    "second-factor remove": Command(lambda _: ["000000"]),
    "api-key create": Command(lambda _: ["their-key"]),
    "api-key list": OWN,
    "api-key show": Command(lambda t: [t.key]),
    "api-key rotate": Command(lambda t: [t.key, "--overlap", "0"]),
    "api-key revoke": Command(lambda t: [t.key]),
    "user list": OWN,
    "user show": Command(lambda t: [t.username]),
    "user invite": Command(
        lambda t: [t.username], reveals="usernames are the platform's, as people sign in by them alone"
    ),
    "user suspend": USER,
    "user resume": USER,
    "user offboard": Command(lambda t: [t.user, "--yes"]),
    "user set-roles": Command(lambda t: [t.user, "--role", "viewer"]),
    "user set-groups": USER,
    "user remove-second-factor": USER,
    "group list": OWN,
    "group set-roles": Command(lambda t: [t.second_group_to_copy, "--role", "viewer"]),
    "group remove": Command(lambda t: [t.group, "--yes"]),
    "role list": OWN,
    "role show": Command(lambda _: ["viewer"]),
    "org list": OWN,
    "org show": ORG,
    "org create": Command(lambda _: ["rival", "--name", "Rival", "--admin", "their-bob"]),
    "org suspend": ORG,
    "org resume": ORG,
    "org offboard": Command(lambda t: [t.organisation, "--yes", "--confirm-name", "rival"]),
    "org offboarding": ORG,
    "org export": Command(lambda t: [t.organisation, "everything.zip"]),
    "agent create": Command(
        lambda t: [t.agent_to_copy, "--file", "given.json", "--no-interactive"],
        file=lambda t: json.dumps(
            {"agent_spec": {**SPEC, "knowledge_sources": [{"type": "markdown", "source": t.upload}]}}
        ),
    ),
    "agent list": OWN,
    "agent show": AGENT,
    "agent logs": AGENT,
    "agent clone": Command(lambda t: [t.agent, "cloned"]),
    "agent fetch": Command(lambda t: [t.agent], in_a_clone=True),
    "agent push": Command(lambda t: [t.agent], in_a_clone=True),
    "agent update": AGENT,
    "agent deploy": AGENT,
    "agent evaluate": Command(
        lambda t: [t.agent, "given.json"],
        file=lambda _: json.dumps({"questions": [{"question": "When?", "answerable": False}]}),
    ),
    "agent delete": Command(lambda t: [t.agent, "--yes"]),
    "agent watch": Command(lambda t: [t.creation]),
    "agent creation cancel": Command(lambda t: [t.creation]),
    "execution list": OWN,
    "execution show": EXECUTION,
    "execution watch": EXECUTION,
    "execution cancel": EXECUTION,
    "analytics usage": OWN,
    "analytics performance": OWN,
    "audit list": Command(lambda t: ["--actor", t.user, "--request-id", t.request]),
    "model list": OWN,
    "model providers": OWN,
    "model add-provider": Command(lambda t: [t.second_provider_to_copy, "--base-url", "http://127.0.0.1:9/v1"]),
    "model show-provider": Command(lambda t: [t.provider]),
    "model change-provider": Command(lambda t: [t.provider, "--disable"]),
    "model remove-provider": Command(lambda t: [t.provider]),
    "model rotate-key": Command(lambda t: [t.provider, "--key-stdin"], lambda _: "stolen\n"),
    "model test": Command(lambda t: [t.provider, "--model", t.model]),
    "model policy": Command(
        lambda _: ["--set", "given.json"], file=lambda t: json.dumps({"agent_models": {t.agent: t.model}})
    ),
}  # fmt: skip
