"""An organisation's providers and its policy. Keys go in sealed and never come out."""

import time
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.gateway.clients import AddressRefused
from promptcraft.gateway.errors import ProviderNameTaken, ProviderNotFound, RequestUnusable
from promptcraft.gateway.schemas import (
    KeyRotation,
    Policy,
    Provider,
    ProviderAdd,
    ProviderChange,
    ProviderTest,
    ProviderTested,
)
from promptcraft.gateway.service import ledger
from promptcraft.gateway.service.calling import Call, make_call
from promptcraft.gateway.service.catalogue import Choice, policy_of
from promptcraft.gateway.service.ledger import Caller
from promptcraft.gateway.service.opening import Gateway
from promptcraft.gateway.service.streams import message_of
from promptcraft.gateway.service.versions import refuse_stale
from promptcraft.gateway.service.wanted import Wanted
from promptcraft.gateway.tables import PolicyRow, ProviderRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.gateway import (
    POLICY_CHANGED,
    PROVIDER_ADDED,
    PROVIDER_CHANGED,
    PROVIDER_KEY_ROTATED,
    PROVIDER_REMOVED,
)
from promptcraft.kernel.db import unit_of_work
from promptcraft.kernel.errors import FieldProblem
from promptcraft.kernel.idempotency import Once, claim_for
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.pages import Page

_TEST = "Answer with the single word: ready"
_TEST_TOKENS = 16


async def providers(session: AsyncSession, actor: Actor, gateway: Gateway, page: Page) -> list[Provider]:
    """Those of the organisation in the order in which they are asked, then the platform's."""
    rows = await session.scalars(select(ProviderRow).where(ProviderRow.org_id == actor.org_id))
    own = [_provider(row) for row in rows]
    asked = (await policy_of(session, actor.org_id)).platform_providers
    given = [
        Provider(name=one.name, kind=one.endpoint.kind, base_url=None, enabled=asked, platform=True)
        for one in gateway.catalogues.given
    ]
    return page.of_list(own + given, lambda one: ("given" if one.platform else f"asked {one.priority:09}", one.name))


async def provider(session: AsyncSession, actor: Actor, name: str) -> Provider:
    """Raises ProviderNotFound."""
    return _provider(await _row(session, actor, name))


async def add_provider(gateway: Gateway, actor: Actor, given: ProviderAdd, once: Once | None = None) -> Provider:
    """Raises ProviderNameTaken, RequestUnusable for an address where no provider may be."""
    await _look_at(gateway, given.base_url)
    provider_id, now = new_id(), clock.now()
    adding = insert(ProviderRow).values(
        org_id=actor.org_id,
        id=provider_id,
        **given.model_dump(exclude={"api_key", "models"}),
        models=orjson.dumps(given.models).decode(),
        sealed_key=gateway.seal.seal(actor.org_id, provider_id, given.api_key.get_secret_value()),
        created_at=now,
        key_changed_at=now,
    )
    unless_taken = adding.on_conflict_do_nothing(constraint="uq_provider_org_id_name").returning(ProviderRow)
    async with unit_of_work(gateway.db, actor) as session:
        if once is not None and (earlier := await claim_for(session, actor, once, provider_id)) is not None:
            once.replayed = True
            return await _added(session, actor, earlier)
        row = await session.scalar(unless_taken)
        if row is None:
            raise ProviderNameTaken(f"There is a provider {given.name}.")
        await audit.record(session, actor, PROVIDER_ADDED, resource=row.name, kind=row.kind, base_url=row.base_url)
    gateway.catalogues.forget(actor.org_id)
    return _provider(row)


async def change_provider(
    gateway: Gateway, actor: Actor, name: str, given: ProviderChange, expected: str | None = None
) -> Provider:
    """Raises ProviderNotFound, ChangedMeanwhile, RequestUnusable for an address where no provider may be."""
    changes: dict[str, Any] = given.model_dump(exclude_unset=True)
    nothing = [field for field, value in changes.items() if value is None and field != "api_version"]
    if nothing:
        raise RequestUnusable(errors=[FieldProblem(f"/{field}", "must not be null") for field in nothing])
    if given.base_url is not None:
        await _look_at(gateway, given.base_url)
    async with unit_of_work(gateway.db, actor) as session:
        row = await _row(session, actor, name)
        refuse_stale(expected, _provider(row))
        for field, value in changes.items():
            setattr(row, field, orjson.dumps(value).decode() if field == "models" else value)
        changed = ", ".join(sorted(changes)) or "nothing"
        await audit.record(session, actor, PROVIDER_CHANGED, resource=row.name, changed=changed, base_url=row.base_url)
    gateway.catalogues.forget(actor.org_id)
    return _provider(row)


async def remove_provider(gateway: Gateway, actor: Actor, name: str) -> None:
    """Raises ProviderNotFound."""
    async with unit_of_work(gateway.db, actor) as session:
        row = await _row(session, actor, name)
        await session.delete(row)
        await audit.record(session, actor, PROVIDER_REMOVED, resource=row.name, base_url=row.base_url)
    gateway.catalogues.forget(actor.org_id)


async def forget_keys(session: AsyncSession, actor: Actor) -> None:
    """Remove every provider of the actor's organisation, which leaves, with its key. Doing it again changes nothing."""
    for row in await session.scalars(select(ProviderRow).where(ProviderRow.org_id == actor.org_id)):
        await session.delete(row)
        await audit.record(session, actor, PROVIDER_REMOVED, resource=row.name, base_url=row.base_url)


async def rotate_key(gateway: Gateway, actor: Actor, name: str, given: KeyRotation) -> Provider:
    """The next call is made with this key. Raises ProviderNotFound."""
    async with unit_of_work(gateway.db, actor) as session:
        row = await _row(session, actor, name)
        row.sealed_key = gateway.seal.seal(actor.org_id, row.id, given.api_key.get_secret_value())
        row.key_changed_at = clock.now()
        await audit.record(session, actor, PROVIDER_KEY_ROTATED, resource=row.name)
    gateway.catalogues.forget(actor.org_id)
    return _provider(row)


async def test_provider(gateway: Gateway, actor: Actor, name: str, given: ProviderTest) -> ProviderTested:
    """One small call of this provider alone, enabled or not, on the record as any other.

    Raises ProviderNotFound, RequestUnusable without a model to ask, and what a call of a model raises.
    """
    started = time.perf_counter()
    async with unit_of_work(gateway.db, actor) as session:
        served = gateway.catalogues.served(await _row(session, actor, name))
        model = given.model or next(iter(served.models), None)
        own = served.own_name(model) if model else None
        if model is None or own is None:
            detail = "must be one of the provider's models" if model else "must be given: the provider has no list"
            raise RequestUnusable(f"The model {detail}.", errors=[FieldProblem("/model", detail)])
        wanted = _asking(model)
        policy = await policy_of(session, actor.org_id)
    call_id = await ledger.begin(gateway.db, actor, Caller(), model, policy, streamed=False)
    answer: list[bytes] = []

    async def keep(part: bytes) -> None:
        answer.append(part)

    await make_call(gateway, Call(call_id, actor, wanted, policy, (Choice(served, own),)), keep, lambda _: b"")
    seconds = round(time.perf_counter() - started, 3)
    return ProviderTested(provider=name, model=model, answer=_said(b"".join(answer)), seconds=seconds)


async def policy(session: AsyncSession, actor: Actor) -> Policy:
    return await policy_of(session, actor.org_id)


async def set_policy(gateway: Gateway, actor: Actor, given: Policy, expected: str) -> Policy:
    """Replace the organisation's policy. Raises ChangedMeanwhile."""
    async with unit_of_work(gateway.db, actor) as session:
        await _lock_policy(session, actor)
        present = await policy_of(session, actor.org_id)
        refuse_stale(expected, present)
        before = present.model_dump()
        values = {"policy": given.model_dump_json(), "changed_at": clock.now()}
        adding = insert(PolicyRow).values(org_id=actor.org_id, **values)
        await session.execute(adding.on_conflict_do_update(constraint="policy_pkey", set_=values))
        changed = sorted(field for field, value in given.model_dump().items() if value != before[field])
        await audit.record(session, actor, POLICY_CHANGED, changed=", ".join(changed) or "nothing")
    gateway.catalogues.forget(actor.org_id)
    return given


async def _lock_policy(session: AsyncSession, actor: Actor) -> None:
    """Whoever else replaces it waits; one that was never set is there from here on."""
    first = insert(PolicyRow).values(org_id=actor.org_id, policy=Policy().model_dump_json(), changed_at=clock.now())
    await session.execute(first.on_conflict_do_nothing())
    await session.execute(select(PolicyRow.org_id).where(PolicyRow.org_id == actor.org_id).with_for_update())


async def _row(session: AsyncSession, actor: Actor, name: str) -> ProviderRow:
    mine = (ProviderRow.org_id == actor.org_id, ProviderRow.name == name)
    # PostgreSQL's text holds every character but this one.
    row = None if "\x00" in name else await session.scalar(select(ProviderRow).where(*mine).with_for_update())
    if row is None:
        raise ProviderNotFound
    return row


async def _added(session: AsyncSession, actor: Actor, provider_id: UUID) -> Provider:
    row = await session.get(ProviderRow, (actor.org_id, provider_id))
    if row is None:
        raise ProviderNotFound
    return _provider(row)


async def _look_at(gateway: Gateway, base_url: str) -> None:
    try:
        await gateway.addresses.of(urlsplit(base_url).hostname or "")
    except AddressRefused as refusal:
        raise RequestUnusable(str(refusal), errors=[FieldProblem("/base_url", str(refusal))]) from None


def _asking(model: str) -> Wanted:
    messages = [{"role": "user", "content": _TEST}]
    return Wanted(model, False, False, {"model": model, "messages": messages, "max_completion_tokens": _TEST_TOKENS})


def _said(content: bytes) -> str:
    choices: list[dict[str, Any]] = message_of(content).get("choices") or [{}]
    message: dict[str, Any] = choices[0].get("message") or {}
    return str(message.get("content") or "")[:200]


def _provider(row: ProviderRow) -> Provider:
    return Provider(
        name=row.name,
        kind="azure" if row.kind == "azure" else "openai",
        base_url=row.base_url,
        api_version=row.api_version,
        models=orjson.loads(row.models),
        priority=row.priority,
        enabled=row.enabled,
        created_at=row.created_at,
        key_changed_at=row.key_changed_at,
    )
