"""The typed client of the platform's HTTP API.

from promptcraft_sdk.client import Client, api

with Client("http://127.0.0.1:8000") as client:
    client.sign_in("admin", password)
    answer = client.send(api.execute("When is the VAT return due?"))
    for event in client.stream(api.creation_events(creation_id)):
        print(event.data.progress_percentage)
"""

from promptcraft_sdk.client import api
from promptcraft_sdk.client.credentials import Credentials
from promptcraft_sdk.client.errors import (
    ApiError,
    ClientError,
    FieldProblem,
    TimedOut,
    UnexpectedAnswer,
    Unreachable,
)
from promptcraft_sdk.client.streams import Event, Stream
from promptcraft_sdk.client.transport import AsyncClient, Client
from promptcraft_sdk.client.wire import Call

__all__ = [
    "ApiError",
    "AsyncClient",
    "Call",
    "Client",
    "ClientError",
    "Credentials",
    "Event",
    "FieldProblem",
    "Stream",
    "TimedOut",
    "UnexpectedAnswer",
    "Unreachable",
    "api",
]
