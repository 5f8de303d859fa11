"""Lines of the log: one JSON object each, without what opens a door."""

import json
import logging

import pytest

from promptcraft.kernel.telemetry import JsonFormatter


def logged(message: str) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": message, "name": "a.logger"})
    return json.loads(JsonFormatter("api-1").format(record))


def test_a_line_names_the_process_that_wrote_it():
    line = logged("hello")

    assert (line["instance"], line["logger"], line["message"]) == ("api-1", "a.logger", "hello")


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("redis://:hunter2@cache:6379/0", "redis://:[redacted]@cache:6379/0"),
        ("postgresql://ada:hunter2@db:5432/x", "postgresql://ada:[redacted]@db:5432/x"),
        ("password=hunter2", "password=[redacted]"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer [redacted]"),
        ("asked http://127.0.0.1:8000/health", "asked http://127.0.0.1:8000/health"),
    ],
)
def test_a_password_is_not_shown_and_an_address_is(message: str, shown: str):
    assert logged(message)["message"] == shown
