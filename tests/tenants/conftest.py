"""Two organisations that must not know of each other: ours, whose Ann may do everything there, and theirs."""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine, event, text

from promptcraft.app.up.servers import Urls
from promptcraft.kernel import context
from promptcraft.kernel.ids import new_id
from promptcraft.kernel.permissions import GROUPS, Role
from promptcraft.migrations.access import TABLES
from tests.agents.conftest import SPEC, packed, work
from tests.conftest import Platform
from tests.mcp_servers import short_directory
from tests.orchestrator.conftest import Agents
from tests.people import PASSWORD, Person, arrive
from tests.tenants.entries import Things

ROLES = tuple(role for role in Role if role is not Role.PLATFORM_ADMIN)
QUESTION = "When is the VAT return due?"

DEPLOY = "POST /api/v4/admin/agents/{name}/deploy"
UPDATE = "POST /api/v4/admin/agents/{name}/update"


def key_of(operation: str) -> str:
    """The Idempotency-Key that they send with it."""
    return f"their {operation}"


@pytest.fixture(scope="module")
def settings_given() -> dict[str, str]:
    return {"PROMPTCRAFT_MODEL_PRIVATE_NETWORKS": "127.0.0.0/8"}


@pytest.fixture(scope="module")
async def ann_once(platform: Platform) -> AsyncIterator[Person]:
    """One of ours, with every role and group that an organisation can give."""
    somebody = await arrive(platform.parts.identity, platform.asgi, platform.acme, "ann", ROLES, tuple(GROUPS))
    yield somebody
    await somebody.client.aclose()


@pytest.fixture
async def ann(ann_once: Person) -> Person:
    """Ann with a token that lasts for this test, and whom the platform remembers."""
    signed_in = await ann_once.post("/auth/token", {"username": ann_once.name, "password": PASSWORD})
    ann_once.client.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
    assert (await ann_once.get("/api/v4/me")).status_code == 200
    return ann_once


@pytest.fixture(scope="module")
async def eve(platform: Platform) -> AsyncIterator[Person]:
    """One of theirs, who administers it."""
    somebody = await arrive(platform.parts.identity, platform.asgi, platform.rival, "eve", ("admin",))
    yield somebody
    await somebody.client.aclose()


async def did(answer: Any) -> dict[str, Any]:
    response = await answer
    assert response.status_code < 300, response.text
    return response.json()["data"] if response.content else {}


async def wants_agent(eve: Person, name: str, source: str) -> dict[str, Any]:
    spec = {**SPEC, "name": name, "knowledge_sources": [{"type": "markdown", "source": source}]}
    return await did(eve.post("/api/v4/admin/agents/create", {"agent_spec": spec}))


@pytest.fixture(scope="module")
async def theirs(platform: Platform, eve: Person) -> AsyncIterator[Things]:
    """One of everything that an organisation can have. Who adds a kind of thing adds one here."""
    upload = (await did(eve.client.post("/api/v4/admin/knowledge/uploads", content=packed())))["source"]
    creation = (await wants_agent(eve, "their_agent", upload))["creation_id"]
    await wants_agent(eve, "their_other_agent", upload)
    await work(platform)
    deploy, once = {"agent_name": "their_agent"}, {"Idempotency-Key": key_of(DEPLOY)}
    deployed = await did(eve.post("/api/v4/admin/agents/their_agent/deploy", deploy, headers=once))
    once = {"Idempotency-Key": key_of(UPDATE)}
    revised = await did(eve.post("/api/v4/admin/agents/their_other_agent/update", headers=once))
    provider = {"name": "their-provider", "base_url": "http://127.0.0.1:9/v1", "api_key": "their-secret"}
    await did(eve.post("/api/v4/admin/models/providers", provider))
    for name in ("their-second", "their-third"):
        await did(eve.post("/api/v4/admin/models/providers", {**provider, "name": name}))
    await did(
        eve.client.put(
            "/api/v4/admin/models/policy",
            json={"agent_models": {"their_agent": "their-model"}},
            headers={"If-Match": "*"},
        )
    )
    chat = {"model": "their-model", "messages": [{"role": "user", "content": QUESTION}]}
    assert (await eve.post("/api/v4/models/v1/chat/completions", chat)).status_code >= 500
    for group in ("their-group", "their-guild", "their-club"):
        await did(eve.client.put(f"/api/v4/admin/groups/{group}/roles", json={"roles": ["viewer"]}))
    invited = await did(eve.post("/api/v4/admin/users", {"username": "their-bob", "groups": ["their-group"]}))
    key = await did(eve.post("/api/v4/api-keys", {"name": "their-key"}))
    await did(eve.post("/api/v4/me/second-factor"))
    sessions = await did(eve.get("/api/v4/sessions"))
    async with short_directory() as directory, AsyncExitStack() as running:
        agents = Agents(platform.db, platform.rival, directory, running)
        described = {"domain": "finance", "keywords": ("vat", "invoice"), "description": "Taxes."}
        await agents.start("their_desk", org_id=platform.rival, **described)
        # What asks of our own agents needs one.
        await agents.start("our_desk", org_id=platform.acme, **described)
        asked = await did(eve.post("/api/v4/execute", {"query": QUESTION, "agent": "their_desk"}))
        await did(eve.post(f"/api/v4/executions/{asked['execution_id']}/feedback", {"rating": 4}))
        events = await did(eve.get("/api/v4/audit/events"))
        yield Things(
            organisation=str(platform.rival), user=invited["user"]["id"], username="their-bob",
            session=sessions[0]["id"], key=key["id"], group="their-group", group_to_copy="their-guild",
            second_group_to_copy="their-club",
            agent="their_agent", agent_to_copy="their_other_agent", server="their_desk", upload=upload,
            creation=creation, deployment=deployed["deployment_id"], revision=revised["revision_id"],
            execution=asked["execution_id"],
            conversation=asked["session_id"], provider="their-provider", provider_to_copy="their-second",
            second_provider_to_copy="their-third",
            model="their-model", request=events[0]["context"]["request_id"], domain="finance",
            credential=key["hint"],
        )  # fmt: skip


_twins = iter(range(100, 10_000))


@pytest.fixture
def missing() -> "Missing":
    return Missing()


class Missing:
    """What looks like theirs and was never there, new ones each time."""

    def __call__(self) -> Things:
        number = next(_twins)
        ids = {name: str(new_id()) for name in Things.IDENTIFIERS}
        return Things(
            **ids, username=f"no-such-{number}", group=f"no-group-{number}", group_to_copy=f"no-guild-{number}",
            second_group_to_copy=f"no-club-{number}",
            agent=f"no_agent_{number}", agent_to_copy=f"no_other_agent_{number}", server=f"no_desk_{number}",
            upload="upload:sha256:" + f"{number:064x}", provider=f"no-provider-{number}",
            provider_to_copy=f"no-second-{number}",
            second_provider_to_copy=f"no-third-{number}", model=f"no-model-{number}", domain=f"nothing{number}",
            credential=f"pcat_{number}",
        )  # fmt: skip


@dataclass
class Statements:
    """The SQL of each request as it goes to the server, by request id; values apart."""

    by_request: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def heard(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        self.by_request[context.current().request_id].append(statement)


@pytest.fixture(scope="module")
def statements(platform: Platform) -> Iterator[Statements]:
    engines = [engine.sync_engine for engine in (platform.db.app, platform.db.system, platform.db.alone.engine)]
    listening = Statements()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", listening.heard)
    yield listening
    for engine in engines:
        event.remove(engine, "before_cursor_execute", listening.heard)


State = dict[str, tuple[int, str | None]]


@dataclass
class Estate:
    """All that an organisation has: every row of every table that holds rows of organisations, and its files."""

    engine: Engine
    data: Path
    org_id: UUID

    def state(self) -> dict[str, Any]:
        tables = [name for name, access in TABLES.items() if access.tenant]
        digest = (
            "select '{0}', count(*), md5(string_agg(t::text, chr(10) order by t::text)) from {0} t where org_id = :org"
        )
        query = " union all ".join(digest.format(name) for name in tables)
        with self.engine.connect() as connection:
            rows = connection.execute(text(query), {"org": self.org_id}).all()
        return {name: (count, digest) for name, count, digest in rows} | {"files": self._files()}

    def _files(self) -> list[tuple[str, int, int]]:
        found = [path for path in self.data.rglob("*") if str(self.org_id) in path.parts and path.is_file()]
        return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found)


@pytest.fixture(scope="module")
def estate(urls: Urls, platform: Platform, theirs: Things) -> Iterator[Estate]:
    engine = create_engine(urls.owner)
    yield Estate(engine, platform.process.settings.core.data_dir, platform.rival)
    engine.dispose()


_VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
    (re.compile(r"\b(pcat|pci|pcs)_[A-Za-z0-9_-]+"), "<credential>"),
    (re.compile(r'("[a-z_]*(?:_ms|seconds|bytes)": ?)[0-9.]+'), r"\1<measured>"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? ?m?s\b"), "<measured>"),
    (re.compile(r"\bPT[0-9.HM]+S\b"), "<measured>"),
    (re.compile(r"\b[A-Z2-7]{32}\b"), "<secret>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<id>"),
)


def alike(shown: str, things: Things, given: str) -> str:
    """What is shown, without what differs between any two answers, and without what was asked for: `given`."""
    for name, value in sorted(things.values(), key=lambda pair: -len(pair[1])):
        if value not in given:
            continue
        shown = shown.replace(value, f"<{name}>").replace(json.dumps(value)[1:-1], f"<{name}>")
    for pattern, word in _VARYING:
        shown = pattern.sub(word, shown)
    return shown
