"""Stands in for the platform's roles where a test is about the supervisor: a process that does as its role would.

It waits at its gate, serves on the inherited socket, and can be told by files in the data directory to misbehave.
"""

import argparse
import http.server
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from promptcraft.app.up.gate import wait_for_gate
from promptcraft.app.up.processes import die_with_parent


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"status": "ok", "warnings": [f"answered by {os.getpid()}"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def serve(descriptor: int) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Healthy, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=descriptor)
    server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", nargs="+")
    parser.add_argument("--gate", type=int)
    parser.add_argument("--roles")
    parser.add_argument("--at")
    parser.add_argument("--listen-fd", type=int)
    args = parser.parse_args()
    role = args.role[0]
    wait_for_gate(args.gate)
    place = Path(os.environ["PROMPTCRAFT_DATA_DIR"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if (place / f"break-{role}").exists():
        sys.exit(f"{role} was told to break")
    if (place / f"deaf-{role}").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if role == "demo":
        sys.stdout.write(f"made by {json.load(sys.stdin)['username']}\n")
        return
    if role == "migrate":
        return
    if role == "admin":
        sys.stdout.write(json.dumps({"username": "admin", "password": "once"}) + "\n")
        return
    if role == "serve":
        serve(args.listen_fd)
    parent = os.getpid()
    if role == "worker" and os.fork() == 0:  # as Celery's prefork pool does, whose children set this too
        die_with_parent(signal.SIGKILL, parent)
        time.sleep(3600)
    time.sleep(3600)


if __name__ == "__main__":
    main()
