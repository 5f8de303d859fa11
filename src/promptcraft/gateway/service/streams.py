"""Server-sent events of a chat completion on their way through: passed on as they are, read only where they tell
something that the platform keeps (WHATWG HTML, "Server-sent events"; OpenAI API, "Streaming").
"""

import re
from typing import Any, cast

import orjson
from pydantic import ValidationError

from promptcraft.gateway.clients import ProviderGone
from promptcraft.gateway.schemas import Usage

END = b"data: [DONE]\n\n"
_LARGEST_EVENT = 4 * 1024 * 1024
# Inside a JSON text a quote is escaped, so none of these can stand in what a model says.
_TELLS = re.compile(rb'"usage"\s*:\s*\{|"error"\s*:\s*[{"]|"finish_reason"\s*:\s*"|data:\s*\[DONE\]')
_FINISHES = re.compile(rb'"finish_reason"\s*:\s*"')
_BOUNDARY = re.compile(rb"\r?\n\r?\n")


class Scanner:
    """One stream. `whole` once the model said that it ended; `error` is the provider's word for why it did not."""

    def __init__(self, *, usage_too: bool) -> None:
        self._usage_too = usage_too
        self._rest = b""
        self.usage: Usage | None = None
        self.model: str | None = None
        self.whole = False
        self.error: str | None = None

    def feed(self, part: bytes) -> bytes:
        """What of the stream may go on to the caller now: whole events, but for the end mark and unwanted usage."""
        block = self._rest + part if self._rest else part
        if block.endswith(b"\n\n"):
            self._rest = b""
        else:
            cut = max((block.rfind(end) + len(end) for end in (b"\n\n", b"\r\n\r\n") if end in block), default=0)
            self._rest, block = block[cut:], block[:cut]
            if len(self._rest) > _LARGEST_EVENT:
                raise ProviderGone("One event of its stream is too long.")
        if not _TELLS.search(block):
            return block
        return b"".join(event + b"\n\n" for event in _BOUNDARY.split(block) if event and self._goes_on(event))

    def _goes_on(self, event: bytes) -> bool:
        if not _TELLS.search(event):
            return True
        data = b"\n".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
        if data == b"[DONE]":
            self.whole = True
            return False
        if _FINISHES.search(event):
            self.whole = True
        message = message_of(data)
        if isinstance(message.get("model"), str):
            self.model = message["model"]
        if message.get("error"):
            self.error = error_text(message) or "it does not say why"
            return False
        if isinstance(message.get("usage"), dict):
            self.usage = usage_of(message)
            return self._usage_too or bool(message.get("choices"))
        return True


def usage_of(message: dict[str, Any]) -> Usage | None:
    """What an answer says about its tokens; None where that cannot be."""
    usage: dict[str, Any] = message.get("usage") or {}
    details: Any = usage.get("prompt_tokens_details")
    cached = cast("dict[str, Any]", details).get("cached_tokens") if isinstance(details, dict) else None
    try:
        told = Usage.model_validate(
            {"input": usage.get("prompt_tokens"), "output": usage.get("completion_tokens"), "cached": cached or 0},
            strict=True,
        )
    except (ValidationError, AttributeError):
        return None
    return told if told.cached <= told.input else None


def error_text(message: dict[str, Any]) -> str:
    """The words of an OpenAI error."""
    error: Any = message.get("error")
    words: Any = cast("dict[str, Any]", error).get("message") if isinstance(error, dict) else error
    return str(words)[:500] if words else ""


def answer_of(content: bytes) -> dict[str, Any]:
    """A whole answer. Raises ProviderGone where it is none."""
    answer = message_of(content)
    if not isinstance(answer.get("choices"), list):
        raise ProviderGone("Its answer has not the form of one.")
    return answer


def message_of(data: bytes) -> dict[str, Any]:
    """The JSON object that these bytes are; an empty one where they are none."""
    try:
        found: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
