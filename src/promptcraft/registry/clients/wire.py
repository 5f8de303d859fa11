"""One request of MCP revision 2026-07-28 on the wire: no input or output here.

Specification: docs/specification/2026-07-28, "Transports" (headers that repeat the body), "Versioning" (`_meta`).
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from opentelemetry import propagate

from promptcraft.kernel.context import platform_version
from promptcraft.kernel.texts import storable
from promptcraft.registry.errors import UpstreamFailed
from promptcraft.registry.schemas import ToolContract, ToolResult

REVISION = "2026-07-28"
MEDIA_TYPES = "application/json, text/event-stream"
_META = "io.modelcontextprotocol/"
# Only this request is in flight on its HTTP exchange, so any id will do.
_REQUEST_ID = 1
_PROGRESS_TOKEN = 1
_LONGEST_REASON = 500
_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_HEADER_SAFE = re.compile(r"(?!=\?base64\?)[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_UNSUPPORTED_REVISION, _METHOD_NOT_FOUND = -32022, -32601


@dataclass(frozen=True, slots=True)
class Request:
    """`name` is the tool of a call, which its header repeats; `meta` goes along with what every request says.

    With `progress`, the server may notify of that before it answers.
    """

    method: str
    parameters: Mapping[str, Any]
    name: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    progress: bool = False

    def headers(self) -> dict[str, str]:
        headers = {
            "Accept": MEDIA_TYPES,
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "MCP-Protocol-Version": REVISION,
            "Mcp-Method": self.method,
        }
        return headers if self.name is None else {**headers, "Mcp-Name": header_value(self.name)}

    def body(self) -> bytes:
        """The JSON-RPC request. Raises UpstreamFailed for text that has no UTF-8."""
        meta: dict[str, Any] = {
            _META + "protocolVersion": REVISION,
            _META + "clientInfo": {"name": "promptcraft-hybrid", "version": platform_version()},
            _META + "clientCapabilities": {},
        }
        meta |= self.meta
        if self.progress:
            meta["progressToken"] = _PROGRESS_TOKEN
        propagate.inject(meta)
        request = {
            "jsonrpc": "2.0",
            "id": _REQUEST_ID,
            "method": self.method,
            "params": {**self.parameters, "_meta": meta},
        }
        try:
            return orjson.dumps(request)
        except TypeError as error:
            raise UpstreamFailed(f"The request cannot be written: {error}.") from error


def header_value(text: str) -> str:
    """The text as a header carries it: itself, or base64 where it would not survive."""
    if _HEADER_SAFE.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode(errors='replace')).decode()}?="


def result_of(content_type: str, status: int, content: bytes) -> dict[str, Any]:
    """The result inside an answer. Raises UpstreamFailed for an error and for what is no answer."""
    message = _response(content_type, content)
    error = message.get("error")
    if isinstance(error, dict):
        raise UpstreamFailed(_reason(cast("dict[str, Any]", error)))
    result = message.get("result")
    if not isinstance(result, dict):
        raise UpstreamFailed(f"It answered with HTTP status {status} and no MCP message.")
    found = cast("dict[str, Any]", result)
    if found.get("resultType", "complete") != "complete":
        raise UpstreamFailed("It asks for further input before it answers, which is not supported yet.")
    return found


class ProgressReader:
    """Finds the messages of progress in a stream of events as it arrives."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, part: bytes) -> list[str]:
        self._rest += part
        *whole, self._rest = _BOUNDARY.split(self._rest)
        return [message for data in _data_of(whole) if (message := _progress_message(data)) is not None]


def tools_of(result: Mapping[str, Any]) -> list[ToolContract]:
    """The tools of one page of a list. Raises UpstreamFailed."""
    tools = result.get("tools")
    if not isinstance(tools, list):
        raise UpstreamFailed("Its list of tools is no list.")
    return [_contract(tool) for tool in cast("list[object]", tools)]


def outcome_of(result: Mapping[str, Any]) -> ToolResult:
    """What a tool answered. Raises UpstreamFailed where the tool says that it failed."""
    if result.get("isError"):
        text = _text(result.get("content"))
        raise UpstreamFailed(f"The tool failed: {text[:_LONGEST_REASON] or 'it does not say why'}")
    structured = result.get("structuredContent")
    return ToolResult(structured=cast("dict[str, Any]", structured) if isinstance(structured, dict) else None)


def _contract(tool: object) -> ToolContract:
    if not isinstance(tool, dict):
        raise UpstreamFailed("One of its tools is no object.")
    fields = cast("dict[str, Any]", tool)
    name, schema = fields.get("name"), fields.get("inputSchema")
    if not isinstance(name, str) or not isinstance(schema, dict):
        raise UpstreamFailed("One of its tools has no name or no input schema.")
    output = fields.get("outputSchema")
    return ToolContract(
        name=storable(name),
        description=storable(str(fields.get("description") or "")),
        input_schema=cast("dict[str, Any]", schema),
        output_schema=cast("dict[str, Any]", output) if isinstance(output, dict) else None,
    )


def _response(content_type: str, content: bytes) -> dict[str, Any]:
    streamed = content_type.lower().startswith("text/event-stream")
    for message in _events(content) if streamed else (content,):
        try:
            found = orjson.loads(message)
        except orjson.JSONDecodeError:
            continue
        # A server may notify of progress before it answers.
        if isinstance(found, dict) and ("result" in found or "error" in found):
            return cast("dict[str, Any]", found)
    return {}


def _events(content: bytes) -> Iterator[bytes]:
    """The data of each server-sent event (WHATWG HTML, "Server-sent events")."""
    yield from _data_of(_BOUNDARY.split(content))


def _data_of(events: Iterable[bytes]) -> Iterator[bytes]:
    for event in events:
        lines = (line for line in event.splitlines() if line.startswith(b"data:"))
        yield b"\n".join(line.removeprefix(b"data:").removeprefix(b" ") for line in lines)


def _progress_message(data: bytes) -> str | None:
    try:
        found: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or cast("dict[str, Any]", found).get("method") != "notifications/progress":
        return None
    parameters: Any = cast("dict[str, Any]", found).get("params")
    message: Any = cast("dict[str, Any]", parameters).get("message") if isinstance(parameters, dict) else None
    return message if isinstance(message, str) else None


def _reason(error: Mapping[str, Any]) -> str:
    code, message = error.get("code"), storable(str(error.get("message", ""))[:_LONGEST_REASON])
    if code == _UNSUPPORTED_REVISION or (code == _METHOD_NOT_FOUND and not message):
        return f"It does not speak MCP {REVISION}."
    return f"{message or 'an error without words'} (MCP error {code})"


def _text(content: object) -> str:
    if not isinstance(content, list):
        return ""
    parts = (
        cast("dict[str, Any]", part).get("text") for part in cast("list[object]", content) if isinstance(part, dict)
    )
    return storable("\n".join(part for part in parts if isinstance(part, str)))
