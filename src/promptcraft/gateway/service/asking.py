"""Asking a model's providers in turn until one begins to answer. No transaction is open here."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from promptcraft.gateway.clients import Answering, ProviderGone, Providers
from promptcraft.gateway.errors import ModelBusy, ModelFailed, ModelRefused, ModelTimedOut, ModelUnavailable
from promptcraft.gateway.schemas import Policy
from promptcraft.gateway.service.catalogue import Choice
from promptcraft.gateway.service.streams import answer_of, error_text, message_of
from promptcraft.gateway.service.wanted import MOST_BYTES, Wanted
from promptcraft.kernel.errors import PlatformError

_TRIES_EACH = 2
_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 5.0
# What the same provider may do better a moment later; of the rest, another provider may know better.
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
# What is wrong with the platform's access to the provider, not with the request.
_OURS = {401, 402, 403, 404, 407}


@dataclass(slots=True)
class Progress:
    """How far a call has come: how often somebody was asked, and whom it was asked last."""

    attempts: int = 0
    choice: Choice | None = None
    first_byte_at: float | None = None


@dataclass(slots=True)
class Begun:
    """An answer that has begun; `first` is its first part, of an answer that is not streamed it is all of it."""

    answering: Answering
    first: bytes
    held: AsyncExitStack = field(repr=False)


class _Trouble(Exception):
    """One try failed. `again` where the same provider may be asked once more, after `pause` seconds."""

    def __init__(self, error: PlatformError, *, again: bool, pause: float = 0.0) -> None:
        self.error = error
        self.again = again
        self.pause = pause


async def ask(
    providers: Providers, choices: Sequence[Choice], wanted: Wanted, policy: Policy, progress: Progress
) -> Begun:
    """Ask until one begins to answer; once it has, nobody else is asked.

    Raises ModelRefused at once, else the error of the last one that was asked: ModelBusy, ModelFailed,
    ModelUnavailable, ModelTimedOut.
    """
    last: PlatformError = ModelUnavailable()
    for choice in choices:
        progress.choice = choice
        body = wanted.body(choice.model)
        for tries_left in reversed(range(_TRIES_EACH)):
            progress.attempts += 1
            try:
                return await _try(providers, choice, body, wanted, policy)
            except _Trouble as trouble:
                last = trouble.error
                if isinstance(last, ModelRefused):
                    raise last from None
                if not (trouble.again and tries_left):
                    break
                await asyncio.sleep(trouble.pause or random.uniform(0, _PAUSE_SECONDS))  # noqa: S311 - spreads load
    raise last


async def _try(providers: Providers, choice: Choice, body: bytes, wanted: Wanted, policy: Policy) -> Begun:
    name = choice.provider.name
    async with AsyncExitStack() as stack:
        try:
            asked = providers.chat(choice.provider.endpoint, choice.model, body, policy.silence_seconds)
            answering = await stack.enter_async_context(asked)
            if answering.status != 200 or not wanted.streamed:
                content = await _all(answering)
                if answering.status != 200:
                    raise _trouble(name, answering, content)
                answer_of(content)
                return Begun(answering, content, stack.pop_all())
            if not answering.streamed:
                raise ProviderGone("It answered a request for a stream with something else.")
            first = await anext(answering.parts, b"")
            if not first:
                raise ProviderGone("Its stream ended before it began.")
            return Begun(answering, first, stack.pop_all())
        except ProviderGone as gone:
            raise _gone(name, gone) from gone
    raise AssertionError("an exit stack swallows nothing")


async def _all(answering: Answering) -> bytes:
    content = bytearray()
    async for part in answering.parts:
        content += part
        if len(content) > MOST_BYTES:
            raise ProviderGone("Its answer is too long.")
    return bytes(content)


def _gone(name: str, gone: ProviderGone) -> _Trouble:
    if gone.timed_out:
        return _Trouble(ModelTimedOut(f"{name} did not answer: {gone}"), again=False)
    return _Trouble(ModelUnavailable(f"{name} did not answer: {gone}"), again=True)


def _trouble(name: str, answering: Answering, content: bytes) -> _Trouble:
    status = answering.status
    words = error_text(message_of(content))
    said = f"{name} answered HTTP {status}" + (f": {words}" if words else ".")
    if status == 429:
        pause = _pause(answering.retry_after)
        wait = max(1, round(pause or 1))
        return _Trouble(ModelBusy(said, retry_after_seconds=wait), again=pause <= _LONGEST_PAUSE_SECONDS, pause=pause)
    if status in _PASSING or status >= 500 or status < 400:
        return _Trouble(ModelFailed(said), again=status in _PASSING)
    if status in _OURS:
        # The provider's words may name the key or the account.
        return _Trouble(ModelFailed(f"{name} answered HTTP {status}."), again=False)
    return _Trouble(ModelRefused(said), again=False)


def _pause(retry_after: str) -> float:
    try:
        return max(0.0, min(float(retry_after), 3600.0))
    except ValueError:
        return 0.0
