"""Asks the API whether it is ready without ever blocking the supervisor."""

import json
import select
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

_LARGEST_ANSWER = 1_048_576


@dataclass
class Probe:
    """One request at a time on a non-blocking connection; `answer` is None until it is whole."""

    address: tuple[str, int]
    path: str
    _connection: socket.socket | None = None
    _received: bytearray = field(default_factory=bytearray)

    def status(self) -> int | None:
        """The status of the newest whole answer, None while there is none; a new request goes out after each."""
        answer = self.answer()
        return None if answer is None else answer[0]

    def answer(self) -> tuple[int, dict[str, Any]] | None:
        """Status and JSON body, None while the answer is not there yet."""
        try:
            whole = self._advance()
        except OSError:
            self.close()
            return None
        if whole is None:
            return None
        self.close()
        return _parsed(whole)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._received = bytearray()

    def _advance(self) -> bytes | None:
        if self._connection is None:
            # the supervisor itself listens there: connecting succeeds at once, the answer comes when the API runs
            self._connection = socket.create_connection(self.address, timeout=1)
            host = self.address[0]
            request = f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            self._connection.sendall(request.encode())
            self._connection.setblocking(False)
        while select.select([self._connection], [], [], 0)[0]:
            with suppress(BlockingIOError):
                part = self._connection.recv(65_536)
                if not part or len(self._received) > _LARGEST_ANSWER:
                    return bytes(self._received)
                self._received += part
        return None


def _parsed(whole: bytes) -> tuple[int, dict[str, Any]] | None:
    head, _, body = whole.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return None
    try:
        content: dict[str, Any] = json.loads(body)
    except ValueError:
        content = {}
    return int(words[1]), content
