"""Small programs of the standard library that stand for agents, and the specifications that start them."""

import sys
from pathlib import Path
from uuid import uuid4

from promptcraft.runtime.schemas import InstanceSpec, Limits

SERVER = """
import http.server, json, os, pathlib, signal, socketserver, subprocess, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "ok", "path": self.path, "uid": os.getuid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

def leave(*_):
    print("leaving", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
print("listening", flush=True)
with socketserver.ThreadingUnixStreamServer(os.environ["AGENT_SOCKET"], Answer) as server:
    server.serve_forever()
"""


def write(directory: Path, source: str) -> Path:
    """A version directory with this program as its main.py."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    directory.chmod(0o755)
    (directory / "main.py").write_text(source)
    (directory / "main.py").chmod(0o644)
    return directory


def spec_of(directory: Path, source: str = SERVER, **changes: object) -> InstanceSpec:
    values: dict[str, object] = {
        "instance_id": uuid4(),
        "name": "tester",
        "code": write(directory, source),
        "environment": Path(sys.base_prefix),
        "argv": (python(), "main.py"),
        "limits": Limits(cpus=2),
    }
    return InstanceSpec.model_validate(values | changes)


def python() -> str:
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def without_bubblewrap(directory: Path) -> Path:
    """A search path with everything that starts programs but bubblewrap."""
    directory.mkdir()
    for name in ("setpriv", "prlimit", "nice", "setsid", "sh"):
        (directory / name).symlink_to(f"/usr/bin/{name}")
    return directory
