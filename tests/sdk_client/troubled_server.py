"""A real HTTP server that does what a platform in trouble does: hangs, breaks off, answers with something else.

What the platform answers when it is well is not told here; tests of that run against the platform.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Asked(NamedTuple):
    method: str
    path: str
    token: str
    body: bytes
    key: str


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class TroubledServer:
    """`on` says how requests are answered, one answer each; the last one stays."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _answers: dict[str, list[Answer]] = field(default_factory=dict)

    def on(self, method_and_path: str, *answers: Answer) -> None:
        self._answers[method_and_path] = list(answers)

    def next_answer(self, method: str, path: str) -> Answer:
        answers = self._answers.get(f"{method} {path.partition('?')[0]}") or [problem(404, code="not_found")]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]


@contextmanager
def troubled_server() -> Iterator[TroubledServer]:
    troubled = TroubledServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            troubled.asked.append(Asked(self.command, self.path, token, body, self.headers.get("Idempotency-Key", "")))
            troubled.next_answer(self.command, self.path)(self)

        do_GET = do_POST = do_DELETE = handle_any

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    server.stopping = troubled.stopping
    troubled.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield troubled
    finally:
        troubled.stopping.set()
        server.shutdown()
        server.server_close()


def data(value: Any, status: int = 200, **beside: Any) -> Answer:
    return raw(json.dumps({"status": "success", "data": value} | beside).encode(), status)


def token(access_token: str, *, expires_in: int = 300, session: str = "session-1") -> Answer:
    return raw(
        json.dumps(
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "expires_in": expires_in,
                "session": session,
                "session_expires_at": "2030-01-01T00:00:00Z",
            }
        ).encode()
    )


def problem(status: int, **members: Any) -> Answer:
    document = {"title": "Refused", "status": status, "request_id": "req-1"} | members
    return raw(json.dumps(document).encode(), status, content_type="application/problem+json")


def raw(body: bytes, status: int = 200, *, content_type: str = "application/json", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.server.stopping.wait(30)
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, for some seconds: no single wait is long, all of them together are."""
    answer = b" " * 150 + b'{"status": "success", "data": {}}'
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(answer)))
    handler.end_headers()
    try:
        for byte in answer:
            handler.wfile.write(bytes((byte,)))
            if handler.server.stopping.wait(0.02):
                return
    except OSError:
        handler.close_connection = True


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Closed with unread data discarded: the caller sees `connection reset`."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    handler.wfile = _Nowhere()


def break_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"status": "succ')
    handler.close_connection = True


# Who /api/v4/me says that one is.
ADA = data(
    {
        "user_id": "00000000-0000-0000-0000-000000000001",
        "username": "ada",
        "organization": {"id": "00000000-0000-0000-0000-000000000002", "slug": "default", "name": "Default"},
    }
)


class _Nowhere:
    closed = False

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        return
