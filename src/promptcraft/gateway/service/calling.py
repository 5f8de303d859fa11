"""One model call in three units of work: intent, committed; effect, with no transaction open; outcome, committed.

The outcome is committed before the last part of an answer goes out: whoever has the whole answer finds its cost.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from uuid import UUID

from promptcraft.gateway.clients import ProviderGone
from promptcraft.gateway.errors import ModelFailed, ModelTimedOut
from promptcraft.gateway.schemas import CallStatus, Policy, Usage
from promptcraft.gateway.service import ledger
from promptcraft.gateway.service.asking import Begun, Progress, ask
from promptcraft.gateway.service.catalogue import Choice
from promptcraft.gateway.service.ledger import Caller
from promptcraft.gateway.service.opening import Gateway
from promptcraft.gateway.service.prices import cost_of
from promptcraft.gateway.service.streams import END, Scanner, message_of, usage_of
from promptcraft.gateway.service.wanted import Wanted, within
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.errors import PlatformError, TimedOut
from promptcraft.kernel.texts import storable

# What a server writes down for a client that hung up; nobody is there to read it.
_HUNG_UP = 499
Send = Callable[[bytes], Awaitable[None]]
ErrorBody = Callable[[PlatformError], bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is written down and not made yet."""

    id: UUID
    actor: Actor
    wanted: Wanted
    policy: Policy
    choices: tuple[Choice, ...]
    started: float = field(default_factory=time.perf_counter)


@dataclass(slots=True)
class _Told:
    """What is known of an answer so far. `last` goes out once the outcome is committed."""

    progress: Progress = field(default_factory=Progress)
    begun: bool = False
    first_byte_ms: int | None = None
    usage: Usage | None = None
    model: str | None = None
    last: bytes = b""
    failure: PlatformError | None = None


async def begin_call(gateway: Gateway, actor: Actor, caller: Caller, wanted: Wanted) -> Call:
    """Write a call down. Raises ModelNotAllowed, ModelNotFound, RequestUnusable, TooManyCalls, TokensUsedUp."""
    catalogue = gateway.catalogues.known(actor.org_id)
    if catalogue is None:
        async with unit_of_work(gateway.db, actor) as session:
            catalogue = await gateway.catalogues.of(session, actor)
    policy = _for(caller, catalogue.policy)
    if caller.agent is not None:
        wanted = replace(wanted, model=catalogue.asked_by(caller.agent, wanted.model))
    choices = catalogue.choices(wanted.model)
    wanted = within(wanted, policy)
    call_id = await ledger.begin(gateway.db, actor, caller, wanted.model, policy, streamed=wanted.streamed)
    return Call(call_id, actor, wanted, policy, tuple(choices))


def _for(caller: Caller, policy: Policy) -> Policy:
    """Of an execution's time no more than is left."""
    if caller.seconds is None:
        return policy
    limit = min(policy.time_limit_seconds, caller.seconds)
    return policy.model_copy(update={"time_limit_seconds": limit})


async def make_call(gateway: Gateway, call: Call, send: Send, error_body: ErrorBody) -> None:
    """Ask the model and send its answer on, part by part. Cancelled, the provider's work ends, too.

    Raises ModelRefused, ModelBusy, ModelFailed, ModelUnavailable, ModelTimedOut before the first part was sent; later
    the failure is the stream's last event.
    """
    told = _Told()
    try:
        async with asyncio.timeout(call.policy.time_limit_seconds):
            begun = await ask(gateway.providers, call.choices, call.wanted, call.policy, told.progress)
            told.first_byte_ms = _milliseconds_since(call.started)
            async with begun.held:
                await _pass_on(begun, call, told, send)
    except asyncio.CancelledError:
        await _concluded(gateway, call, told, CallStatus.DISCONNECTED)
        raise
    except TimeoutError:
        told.failure = ModelTimedOut(f"{call.wanted.model} took longer than {call.policy.time_limit_seconds:g} s.")
    except ProviderGone as gone:
        said = f"The provider broke off its answer: {gone}"
        told.failure = ModelTimedOut(said) if gone.timed_out else ModelFailed(said)
    except PlatformError as failure:
        told.failure = failure
    await _concluded(gateway, call, told, _status_of(told.failure))
    if told.failure is None:
        await send(told.last)
    elif not told.begun:
        raise told.failure
    else:
        await send(b"data: " + error_body(told.failure) + b"\n\n")


async def _pass_on(begun: Begun, call: Call, told: _Told, send: Send) -> None:
    if not call.wanted.streamed:
        message = message_of(begun.first)
        told.usage, told.model, told.last = usage_of(message), _text(message.get("model")), begun.first
        return
    scanner = Scanner(usage_too=call.wanted.usage_too)
    part: bytes | None = begun.first
    while part is not None:
        ready = scanner.feed(part)
        told.usage, told.model = scanner.usage, scanner.model
        if ready:
            told.begun = True
            await send(ready)
        if scanner.error is not None:
            raise ProviderGone(scanner.error)
        part = await anext(begun.answering.parts, None)
    if not scanner.whole:
        raise ProviderGone("Its stream ended before the answer did.")
    told.last = END


async def _concluded(gateway: Gateway, call: Call, told: _Told, status: CallStatus) -> None:
    """Commit the outcome, whatever becomes of the caller meanwhile."""
    concluding = asyncio.ensure_future(_conclude(gateway, call, told, status))
    await asyncio.shield(concluding)


async def _conclude(gateway: Gateway, call: Call, told: _Told, status: CallStatus) -> None:
    choice, usage, failure = told.progress.choice, told.usage, told.failure
    duration = _milliseconds_since(call.started)
    cost = None
    if choice is not None:
        cost = await cost_of(
            call.policy, call.wanted.model, told.model or choice.model, choice.provider.endpoint, usage
        )
    values = {
        "provider": choice.provider.name if choice else None,
        "attempts": told.progress.attempts,
        "input_tokens": usage.input if usage else None,
        "cached_tokens": usage.cached if usage else None,
        "output_tokens": usage.output if usage else None,
        "cost": cost,
        "first_byte_ms": told.first_byte_ms,
        "duration_ms": duration,
        "error_code": failure.code if failure else None,
        "error": storable(failure.detail) if failure else None,
    }
    hung_up = _HUNG_UP if status is CallStatus.DISCONNECTED else None
    async with unit_of_work(gateway.db, call.actor) as session:
        await ledger.close(
            session, call.actor, call.id, status, status_code=failure.status if failure else hung_up, **values
        )


def _status_of(failure: PlatformError | None) -> CallStatus:
    if failure is None:
        return CallStatus.COMPLETED
    return CallStatus.TIMED_OUT if isinstance(failure, TimedOut) else CallStatus.FAILED


def _milliseconds_since(moment: float) -> int:
    return round((time.perf_counter() - moment) * 1000)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
