"""Tries every operation of a real platform with what its description allows and what it does not: `make fuzz`.

Starts the platform on a directory of its own, makes one of everything that requests need, runs schemathesis with all
checks under schemathesis.toml, and stops the platform. The exit status is that of schemathesis, which is given what
follows `--`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from promptcraft.app.demo import make_agent, platform_in
from promptcraft_sdk.client import Client, api

ROOT = Path(__file__).resolve().parent.parent
_KEY = "opens-nothing"
_QUESTION = "How do I sign in?"


def main() -> int:
    """Run it; the report of schemathesis goes to standard output."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=600, help="at most, without starting and stopping")
    arguments.add_argument("--examples", type=int, default=20, help="generated requests of one operation and phase")
    arguments.add_argument("more", nargs="*", help="options of `schemathesis run`")
    given = arguments.parse_args()
    # Requests come as fast as they can be answered; what they are limited to has its own tests.
    os.environ["ENABLE_API_RATE_LIMITING"] = "false"
    os.environ["PROMPTCRAFT_MODEL_PRIVATE_NETWORKS"] = "127.0.0.0/8"
    with tempfile.TemporaryDirectory(prefix="promptcraft-fuzz-") as folder, platform_in(Path(folder) / "data") as found:
        _furnish(Path(folder), found["url"], found["administrator"])
        command = [
            *(Path(sys.executable).parent / "schemathesis", "--config-file", ROOT / "schemathesis.toml", "run"),
            *("--checks", "all", "--max-time", str(given.seconds), "--max-examples", str(given.examples)),
            *("--report-json-path", Path(folder) / "report.json", *given.more),
            f"{found['url']}/api/v4/openapi.json",
        ]
        who = {
            "PYTHONPATH": str(ROOT),
            "FUZZ_USERNAME": found["administrator"]["username"],
            "FUZZ_PASSWORD": found["administrator"]["password"],
        }
        return subprocess.run(command, cwd=folder, env={**os.environ, **who}, check=False).returncode


def _furnish(place: Path, url: str, administrator: dict[str, str]) -> None:
    """One of everything: an agent that answers, an execution, people, a group, a key, an organisation."""
    make_agent(place, url, administrator)
    with Client(url) as client:
        client.sign_in(administrator["username"], administrator["password"])
        client.send(api.execute(_QUESTION))
        invited = client.send(api.invite_user("grace", display_name="Grace", groups=("engineering",)))
        client.send(api.set_group_roles("engineering", ("viewer",)))
        client.send(api.invite_user_again(invited.user.id))
        client.send(api.create_api_key("nightly"))
        # Nobody listens there: what is asked of a model fails at once.
        client.send(api.add_model_provider({"name": "nowhere", "base_url": "http://127.0.0.1:9/v1", "api_key": _KEY}))
        client.send(api.found_organisation("acme", "Acme", "ada"))


if __name__ == "__main__":
    sys.exit(main())
