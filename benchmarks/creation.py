"""From a request to an agent that Zen routes to: seconds per step over several creations, process driver, 20 documents.

The limit beside it, measured in the same run: what the agent's own tests take when nothing but Python runs them.
Prints one line of JSON last. `--creations N` (default 5), `--documents N` (default 20).
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from promptcraft.app.demo import platform_in
from promptcraft_sdk.client import Client, api

BAR_SECONDS = 8.0
_SEED = 20261123
_WORDS = (
    "invoice return payment quarter deadline customer contract delivery warranty refund account balance interest"
    " payroll expense travel receipt budget forecast audit policy approval vendor purchase order stock warehouse"
).split()


def main() -> int:
    """Run the creations and print seconds per step; exit status 1 when the median misses the bar."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="pc-bench-") as folder:
        place = Path(folder)
        with platform_in(place / "data") as platform, Client(platform["url"]) as client:
            client.sign_in(platform["administrator"]["username"], platform["administrator"]["password"])
            client.send(api.me())
            runs = [_create(client, number, arguments.documents) for number in range(arguments.creations)]
            bare = _bare_tests(client, place, "bench_0")
    return _report(runs, bare, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creations", type=int, default=5)
    parser.add_argument("--documents", type=int, default=20)
    return parser.parse_args()


def _create(client: Client, number: int, documents: int) -> dict[str, float]:
    """One creation: seconds per step, and `total` from the request to the end of its last step, as a client sees it."""
    upload = client.send(api.upload_knowledge(_archive(number, documents), compressed=False))
    spec = {
        "agent_spec": {
            "name": f"bench_{number}",
            "domain": "benchmark",
            "description": "Made to be timed",
            "keywords": [f"topic{number}"],
            "knowledge_sources": [{"type": "markdown", "source": upload.source}],
        },
        "deployment_config": {"auto_deploy": True},
    }
    began = time.perf_counter()
    creation = client.send(api.create_agent(spec))
    while True:
        progress = client.send(api.creation(creation.creation_id))
        if progress.finished:
            break
        time.sleep(0.02)
    total = time.perf_counter() - began
    if progress.status != "completed":
        raise SystemExit(f"creation {number} failed in {progress.phase}")
    return {step.name: step.seconds or 0.0 for step in progress.steps} | {"total": total}


def _archive(number: int, documents: int) -> bytes:
    """Documents of a few headings and paragraphs each, other words in every creation."""
    words = random.Random(_SEED + number)
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for document in range(documents):
            lines = [f"# Chapter {document} of book {number}", ""]
            for section in range(6):
                lines += [f"## Section {section}: {' '.join(words.sample(_WORDS, 3))}", ""]
                lines += [" ".join(words.choices(_WORDS, k=60)) + ".", ""]
            content = "\n".join(lines).encode()
            entry = tarfile.TarInfo(f"chapter_{document:02}.md")
            entry.size = len(content)
            tar.addfile(entry, BytesIO(content))
    return packed.getvalue()


def _bare_tests(client: Client, place: Path, name: str) -> float:
    """Median seconds of the agent's own tests, run from its clone by the agents' Python, with no platform around."""
    bundle = place / "agent.bundle"
    bundle.write_bytes(client.send(api.agent_repository(name)))
    clone = place / "clone"
    subprocess.run(["git", "clone", "--quiet", "-b", "main", str(bundle), str(clone)], check=True)
    python = Path(sys.prefix) / "share" / "promptcraft" / "agent-envs" / "default" / "bin" / "python"
    taken: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([str(python), "-m", "pytest", "-q"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _report(runs: list[dict[str, float]], bare: float, arguments: argparse.Namespace) -> int:
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    print(f"{arguments.creations} creations, {arguments.documents} documents each; seconds, median (least-most)")
    for name, middle in medians.items():
        values = [run[name] for run in runs]
        print(f"  {name:<12} {middle:6.2f}   ({min(values):.2f}-{max(values):.2f})")
    total = medians["total"]
    print(f"  bar          {BAR_SECONDS:6.2f}   p50 is {total / BAR_SECONDS:.2f} of it")
    print(
        f"  own tests    {bare:6.2f}   bare, outside the platform: the creation takes {total / bare:.2f} times as long"
    )
    result: dict[str, Any] = {name: round(value, 3) for name, value in medians.items()}
    print(
        json.dumps(result | {"bar": BAR_SECONDS, "bare_tests": round(bare, 3), "ratio_to_bare": round(total / bare, 2)})
    )
    return 0 if total <= BAR_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
