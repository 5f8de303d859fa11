"""Tries every operation of a real platform with what its description allows and what it does not: `make fuzz`.

Starts the platform on a directory of its own, makes one of everything that requests need, runs schemathesis with all
checks under schemathesis.toml, and stops the platform. The exit status is that of schemathesis, which is given what
follows `--`; 1 where it found nothing but did not come to its end in time.
"""

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from promptcraft.app.demo import AGENT, make_agent, platform_in
from promptcraft_sdk.client import Client, api
from promptcraft_sdk.client.streams import Stream

ROOT = Path(__file__).resolve().parent.parent
_KEY = "opens-nothing"
_QUESTION = "How do I sign in?"
_STOP_SECONDS = 30.0
_CUT_OFF = 1


def main() -> int:
    """Run it; the report of schemathesis goes to standard output."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=1_200, help="at most, without starting and stopping")
    arguments.add_argument("--examples", type=int, default=10, help="generated requests of one operation and phase")
    arguments.add_argument("more", nargs="*", help="options of `schemathesis run`")
    given = arguments.parse_args()
    # Requests come as fast as they can be answered; what they are limited to has its own tests.
    os.environ["ENABLE_API_RATE_LIMITING"] = "false"
    os.environ["PROMPTCRAFT_MODEL_PRIVATE_NETWORKS"] = "127.0.0.0/8"
    with tempfile.TemporaryDirectory(prefix="promptcraft-fuzz-") as folder, platform_in(Path(folder) / "data") as found:
        made = _furnish(Path(folder), found["url"], found["administrator"])
        command = [
            *(Path(sys.executable).parent / "schemathesis", "--config-file", ROOT / "schemathesis.toml", "run"),
            *("--checks", "all", "--max-examples", str(given.examples), *given.more),
            f"{found['url']}/api/v4/openapi.json",
        ]
        who = {
            "PYTHONPATH": str(ROOT),
            "FUZZ_USERNAME": found["administrator"]["username"],
            "FUZZ_PASSWORD": found["administrator"]["password"],
            "FUZZ_MADE": json.dumps(made),
        }
        return _run(command, Path(folder), {**os.environ, **who}, given.seconds)


def _run(command: list[str | Path], folder: Path, environment: dict[str, str], seconds: int) -> int:
    """The exit status of schemathesis. Its own --max-time would go on until then, and call what it left out passed."""
    process = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        # As Ctrl-C: it still says what it found.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        print(
            f"Error: cut off after {seconds} s, before its phases were through. Allow more: SECONDS=", file=sys.stderr
        )
        return process.returncode or _CUT_OFF


def _furnish(place: Path, url: str, administrator: dict[str, str]) -> dict[str, list[str]]:
    """One of everything, and another of what requests take away. Returns their names and ids, by where paths have them.

    Paths say `users/{user_id}`: under `users`, what requests may be about; under `ended users`, what they may end.
    """
    make_agent(place, url, administrator)
    with Client(url) as client:
        client.sign_in(administrator["username"], administrator["password"])
        # Nobody listens there: what is asked of a model fails at once.
        for name in ("nowhere", "elsewhere"):
            client.send(api.add_model_provider({"name": name, "base_url": "http://127.0.0.1:9/v1", "api_key": _KEY}))
        for group in ("engineering", "sales"):
            client.send(api.set_group_roles(group, ("viewer",)))
        return {
            **_agents(client),
            **_people(client),
            **_organisations(client),
            "executions": [str(client.send(api.execute(_QUESTION)).execution_id)],
            "providers": ["nowhere"],
            "ended providers": ["elsewhere"],
            "groups": ["engineering"],
            "ended groups": ["sales"],
            "api-keys": [str(client.send(api.create_api_key("nightly")).id)],
            "ended api-keys": [str(client.send(api.create_api_key("weekly")).id)],
            "ended sessions": _sessions(url, administrator),
        }


def _agents(client: Client) -> dict[str, list[str]]:
    upload = client.send(api.upload_knowledge(_archive(), compressed=False))
    spare = {
        **{"name": "spare", "domain": "tests", "description": "Goes away"},
        "knowledge_sources": [{"type": "markdown", "source": upload.source}],
    }
    creation = client.send(api.create_agent({"agent_spec": spare})).creation_id
    _followed(client, api.creation_events(creation))
    deployment = client.send(api.deploy_agent(AGENT, environment="staging")).deployment_id
    _followed(client, api.deployment_events(deployment))
    return {
        "creation": [str(creation)],
        "deployments": [str(deployment)],
        "revisions": [str(client.send(api.update_agent(AGENT)).revision_id)],
        "agents": [AGENT],
        "ended agents": ["spare"],
    }


def _followed(client: Client, progress: Stream[Any]) -> None:
    for _ in client.stream(progress):
        pass


def _archive() -> bytes:
    text = b"# Signing in\n\nYou sign in with your name and your password.\n"
    entry = tarfile.TarInfo("signing-in.md")
    entry.size = len(text)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(text))
    return written.getvalue()


def _people(client: Client) -> dict[str, list[str]]:
    stays = client.send(api.invite_user("grace", display_name="Grace", groups=("engineering",))).user.id
    client.send(api.invite_user_again(stays))
    return {"users": [str(stays)], "ended users": [str(client.send(api.invite_user("heidi")).user.id)]}


def _organisations(client: Client) -> dict[str, list[str]]:
    """One that stays, one to be offboarded under its short name in schemathesis.toml, and one that is."""
    stays, goes, gone = (
        str(client.send(api.found_organisation(slug, slug.title(), f"{slug}-admin")).organization.id)
        for slug in ("acme", "beta", "gamma")
    )
    client.send(api.offboard_organisation(UUID(gone), "gamma"))
    return {"organizations": [stays], "ended organizations": [goes], "offboarded organizations": [gone]}


def _sessions(url: str, administrator: dict[str, str]) -> list[str]:
    """Those of logins that nothing goes on with."""
    with Client(url) as client:
        for _ in range(4):
            client.sign_in(administrator["username"], administrator["password"])
        return [str(session.id) for session in client.send(api.sessions()) if not session.current]


if __name__ == "__main__":
    sys.exit(main())
