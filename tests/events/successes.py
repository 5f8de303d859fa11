"""One request, or more, that succeeds for every route that changes something, and the events that it leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from promptcraft.identity import found_organisation
from promptcraft.kernel.audit import Event
from promptcraft.kernel.audit.catalogue import agents as a
from promptcraft.kernel.audit.catalogue import compliance as c
from promptcraft.kernel.audit.catalogue import gateway as g
from promptcraft.kernel.audit.catalogue import identity as i
from promptcraft.kernel.audit.catalogue import orchestrator as o
from promptcraft.kernel.audit.catalogue.registry import SERVER_UNREGISTERED
from promptcraft.kernel.audit.catalogue.runtime import INSTANCE_UNDESIRED
from tests.agents.conftest import SPEC
from tests.agents.test_pushes import cloned, committed
from tests.conftest import Platform
from tests.identity.test_second_factor import Authenticator, enrolled
from tests.orchestrator.conftest import Agents, knows_not
from tests.orchestrator.test_cancelling import Slow, running
from tests.people import PASSWORD, Person, arrive
from tests.tenants.archives import ARCHIVE

_numbers = count()
# Those that are only once there: which request is made with which agent.
BUILT = ("to_update", "to_push", "to_deploy", "to_delete")
RUNNING = ("to_evaluate", "to_stop")
CREATE = "POST /api/v4/admin/agents/create"
HELLO = [{"role": "user", "content": "Hello"}]


@dataclass
class World:
    """What requests are made in: Mighty may do everything; agents in RUNNING run, those in BUILT do not."""

    platform: Platform
    mighty: Person
    agents: Agents
    provider: str
    source: str
    directory: Path
    leaving: AsyncExitStack

    async def somebody(self, *roles: str) -> Person:
        name = f"somebody-{next(_numbers)}"
        person = await arrive(self.platform.parts.identity, self.platform.asgi, self.platform.acme, name, roles)
        self.leaving.push_async_callback(person.client.aclose)
        return person

    async def did(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.mighty.client.request(method, path, **options)
        assert answer.status_code < 300, answer.text
        return answer.json()["data"]

    async def invited(self, **more: Any) -> dict[str, Any]:
        body = {"username": f"invited-{next(_numbers)}", **more}
        return await self.did("POST", "/api/v4/admin/users", json=body)

    async def organisation(self) -> tuple[str, str]:
        slug = f"org-{next(_numbers)}"
        return str((await found_organisation(self.platform.db, slug, slug)).id), slug

    def own_provider(self) -> dict[str, Any]:
        given = {
            "name": f"provider-{next(_numbers)}",
            "base_url": f"{self.provider}/v1",
            "models": {"gpt-4o": "gpt-4o"},
        }
        return {**given, "api_key": "secret"}

    async def added_provider(self) -> dict[str, str]:
        given = self.own_provider()
        await self.did("POST", "/api/v4/admin/models/providers", json=given)
        return {"name": given["name"]}

    async def asked(self) -> str:
        return (await self.did("POST", "/api/v4/execute", json={"query": "When?", "agent": "desk"}))["execution_id"]

    def spec(self, name: str) -> dict[str, Any]:
        return {**SPEC, "name": name, "knowledge_sources": [{"type": "markdown", "source": self.source}]}


@dataclass
class Asking:
    """The request: whose, and what of it is not in the operation."""

    path: dict[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    client: httpx.AsyncClient | None = None


@dataclass(frozen=True)
class Success:
    """A request that succeeds: `prepare` makes what it needs. It leaves these events, the ids in ascending order."""

    operation: str
    name: str
    leaves: tuple[int, ...]
    prepare: Callable[[World], Any]

    def __str__(self) -> str:
        return f"{self.operation} {self.name}"


SUCCESSES: list[Success] = []


def success(operation: str, *leaves: Event) -> Callable[[Any], Any]:
    def keep(prepare: Any) -> Any:
        left = tuple(sorted(event.id for event in leaves))
        SUCCESSES.append(Success(operation, prepare.__name__.strip("_"), left, asynccontextmanager(prepare)))
        return prepare

    return keep


Askings = AsyncIterator[Asking]


@success("POST /auth/token", i.LOGIN_SUCCEEDED)
async def _sign_in(world: World) -> Askings:
    somebody = await world.somebody()
    yield Asking(body={"username": somebody.name, "password": PASSWORD})


@success("POST /auth/token", i.SESSION_RENEWED)
async def _renew(world: World) -> Askings:
    somebody = await world.somebody()
    signed_in = await somebody.post("/auth/token", {"username": somebody.name, "password": PASSWORD})
    yield Asking(body={"session": signed_in.json()["session"]})


@success("POST /auth/token", i.RECOVERY_CODE_USED, i.LOGIN_SUCCEEDED)
async def _sign_in_with_a_recovery_code(world: World) -> Askings:
    somebody = await world.somebody("viewer")
    _, codes = await enrolled(somebody)
    yield Asking(body={"username": somebody.name, "password": PASSWORD, "code": codes[0]})


@success("POST /auth/logout", i.SESSION_ENDED)
async def _sign_out(world: World) -> Askings:
    yield Asking(client=(await world.somebody("viewer")).client)


@success("POST /auth/revoke", i.CREDENTIAL_REVOKED)
async def _surrender_an_access_token(world: World) -> Askings:
    somebody = await world.somebody()
    yield Asking(body={"token": somebody.client.headers["Authorization"].partition(" ")[2]})


@success("POST /auth/revoke", i.CREDENTIAL_REVOKED)
async def _surrender_a_session(world: World) -> Askings:
    somebody = await world.somebody()
    signed_in = await somebody.post("/auth/token", {"username": somebody.name, "password": PASSWORD})
    yield Asking(body={"token": signed_in.json()["session"]})


@success("POST /auth/revoke", i.CREDENTIAL_REVOKED)
async def _surrender_a_key(world: World) -> Askings:
    key = await world.did("POST", "/api/v4/api-keys", json={"name": "lost"})
    yield Asking(body={"token": key["key"]})


@success("DELETE /api/v4/sessions/{session_id}", i.SESSION_ENDED)
async def _end_a_session(world: World) -> Askings:
    somebody = await world.somebody("viewer")
    await somebody.post("/auth/token", {"username": somebody.name, "password": PASSWORD})
    sessions = (await somebody.get("/api/v4/sessions")).json()["data"]
    other = next(one["id"] for one in sessions if not one["current"])
    yield Asking({"session_id": other}, client=somebody.client)


@success("POST /api/v4/api-keys", i.API_KEY_MADE)
async def _make_a_key(world: World) -> Askings:
    yield Asking(body={"name": f"key-{next(_numbers)}"})


async def _key(world: World) -> dict[str, str]:
    made = await world.did("POST", "/api/v4/api-keys", json={"name": f"key-{next(_numbers)}"})
    return {"key_id": made["id"]}


@success("POST /api/v4/api-keys/{key_id}/rotate", i.API_KEY_ROTATED)
async def _rotate_a_key(world: World) -> Askings:
    yield Asking(await _key(world), body={"overlap_hours": 0})


@success("DELETE /api/v4/api-keys/{key_id}", i.API_KEY_REVOKED)
async def _revoke_a_key(world: World) -> Askings:
    yield Asking(await _key(world))


@success("POST /auth/accept-invitation", i.INVITATION_ACCEPTED, i.PASSWORD_SET)
async def _accept(world: World) -> Askings:
    yield Asking(body={"invitation": (await world.invited())["invitation"], "password": "a long new password"})


@success("POST /api/v4/me/second-factor", i.SECOND_FACTOR_BEGUN)
async def _begin_a_second_factor(world: World) -> Askings:
    yield Asking(client=(await world.somebody("viewer")).client)


@success("POST /api/v4/me/second-factor/confirm", i.SECOND_FACTOR_CONFIRMED)
async def _confirm_a_second_factor(world: World) -> Askings:
    somebody = await world.somebody("viewer")
    begun = (await somebody.post("/api/v4/me/second-factor")).json()["data"]
    yield Asking(body={"code": Authenticator(begun["secret"]).code()}, client=somebody.client)


@success("POST /api/v4/me/second-factor/remove", i.SECOND_FACTOR_REMOVED)
async def _remove_a_second_factor_that_is_not_confirmed(world: World) -> Askings:
    somebody = await world.somebody("viewer")
    await somebody.post("/api/v4/me/second-factor")
    yield Asking(body={"code": "000000"}, client=somebody.client)


@success("POST /api/v4/me/second-factor/remove", i.SECOND_FACTOR_REMOVED, i.RECOVERY_CODE_USED)
async def _remove_a_second_factor_with_a_recovery_code(world: World) -> Askings:
    somebody = await world.somebody("viewer")
    _, codes = await enrolled(somebody)
    yield Asking(body={"code": codes[0]}, client=somebody.client)


@success("POST /api/v4/admin/users", i.USER_ADDED, i.ROLE_BOUND, i.USER_INVITED)
async def _invite(world: World) -> Askings:
    yield Asking(body={"username": f"invited-{next(_numbers)}"})


@success(
    "POST /api/v4/admin/users",
    i.USER_ADDED, i.ROLE_BOUND, i.ROLE_BOUND, i.GROUP_MADE, i.GROUP_JOINED, i.USER_INVITED,
)  # fmt: skip
async def _invite_with_roles_and_a_new_group(world: World) -> Askings:
    group = f"group-{next(_numbers)}"
    yield Asking(body={"username": f"invited-{next(_numbers)}", "roles": ["viewer", "analyst"], "groups": [group]})


async def _user(world: World, **more: Any) -> dict[str, str]:
    return {"user_id": (await world.invited(**more))["user"]["id"]}


@success("POST /api/v4/admin/users/{user_id}/invitation", i.USER_INVITED)
async def _invite_again(world: World) -> Askings:
    yield Asking(await _user(world))


@success("POST /api/v4/admin/users/{user_id}/suspend", i.USER_SUSPENDED)
async def _suspend(world: World) -> Askings:
    yield Asking(await _user(world))


@success("POST /api/v4/admin/users/{user_id}/resume", i.USER_RESUMED)
async def _resume(world: World) -> Askings:
    user = await _user(world)
    await world.did("POST", f"/api/v4/admin/users/{user['user_id']}/suspend")
    yield Asking(user)


@success("POST /api/v4/admin/users/{user_id}/offboard", i.USER_OFFBOARDED)
async def _offboard(world: World) -> Askings:
    yield Asking({"user_id": str((await world.somebody("viewer")).user_id)})


@success("DELETE /api/v4/admin/users/{user_id}/second-factor", i.SECOND_FACTOR_REMOVED)
async def _remove_the_second_factor_of_a_user(world: World) -> Askings:
    somebody = await world.somebody("viewer")
    await enrolled(somebody)
    yield Asking({"user_id": str(somebody.user_id)})


@success("PUT /api/v4/admin/users/{user_id}/roles", i.ROLE_BOUND, i.ROLE_UNBOUND)
async def _set_roles(world: World) -> Askings:
    yield Asking(await _user(world, roles=["viewer"]), body={"roles": ["analyst"]})


@success("PUT /api/v4/admin/users/{user_id}/groups", i.GROUP_JOINED, i.GROUP_LEFT, i.GROUP_MADE)
async def _set_groups(world: World) -> Askings:
    one, other = (f"group-{next(_numbers)}" for _ in range(2))
    yield Asking(await _user(world, groups=[one]), body={"groups": [other]})


@success("PUT /api/v4/admin/groups/{name}/roles", i.GROUP_MADE, i.ROLE_BOUND)
async def _make_a_group(world: World) -> Askings:
    yield Asking({"name": f"group-{next(_numbers)}"}, body={"roles": ["viewer"]})


async def _group(world: World) -> dict[str, str]:
    name = f"group-{next(_numbers)}"
    await world.did("PUT", f"/api/v4/admin/groups/{name}/roles", json={"roles": ["viewer"]})
    return {"name": name}


@success("PUT /api/v4/admin/groups/{name}/roles", i.ROLE_BOUND, i.ROLE_UNBOUND)
async def _set_roles_of_a_group(world: World) -> Askings:
    yield Asking(await _group(world), body={"roles": ["analyst"]})


@success("DELETE /api/v4/admin/groups/{name}", i.GROUP_REMOVED)
async def _remove_a_group(world: World) -> Askings:
    yield Asking(await _group(world))


@success("POST /api/v4/admin/organizations", i.ORGANISATION_FOUNDED, i.USER_ADDED, i.ROLE_BOUND, i.USER_INVITED)
async def _found(world: World) -> Askings:
    slug = f"org-{next(_numbers)}"
    yield Asking(body={"slug": slug, "name": slug, "administrator": f"admin-of-{slug}"})


@success("POST /api/v4/admin/organizations/{org_id}/suspend", i.ORGANISATION_SUSPENDED)
async def _suspend_an_organisation(world: World) -> Askings:
    yield Asking({"org_id": (await world.organisation())[0]})


@success("POST /api/v4/admin/organizations/{org_id}/resume", i.ORGANISATION_RESUMED)
async def _resume_an_organisation(world: World) -> Askings:
    yield Asking({"org_id": (await world.organisation())[0]})


@success("POST /api/v4/admin/organizations/{org_id}/offboard", c.OFFBOARDING_REQUESTED)
async def _offboard_an_organisation(world: World) -> Askings:
    org_id, slug = await world.organisation()
    yield Asking({"org_id": org_id}, body={"slug": slug})


@success(CREATE, a.CREATION_REQUESTED)
async def _create_an_agent(world: World) -> Askings:
    yield Asking(body={"agent_spec": world.spec(f"agent_{next(_numbers)}")})


@success("POST /api/v4/admin/agents/creation/{creation_id}/cancel", a.CREATION_CANCELLED)
async def _cancel_a_creation(world: World) -> Askings:
    body = {"agent_spec": world.spec(f"agent_{next(_numbers)}")}
    creation = await world.did("POST", "/api/v4/admin/agents/create", json=body)
    yield Asking({"creation_id": creation["creation_id"]})


@success("DELETE /api/v4/admin/agents/{name}", a.AGENT_DELETED)
async def _delete_an_agent(world: World) -> Askings:
    yield Asking({"name": "to_delete"})


@success("DELETE /api/v4/admin/agents/{name}", a.AGENT_DELETED, SERVER_UNREGISTERED, INSTANCE_UNDESIRED)
async def _delete_an_agent_that_runs(world: World) -> Askings:
    yield Asking({"name": "to_stop"})


@success("POST /api/v4/admin/agents/{name}/repository", a.VERSION_PUSHED)
async def _push(world: World) -> Askings:
    bundle = committed(await cloned(world.mighty, world.directory, "to_push"))
    yield Asking({"name": "to_push"}, content=bundle)


@success("POST /api/v4/admin/agents/{name}/update", a.UPDATE_REQUESTED)
async def _update(world: World) -> Askings:
    yield Asking({"name": "to_update"})


@success("POST /api/v4/admin/agents/{name}/deploy", a.DEPLOYMENT_REQUESTED)
async def _deploy(world: World) -> Askings:
    yield Asking({"name": "to_deploy"}, body={"agent_name": "to_deploy"})


@success("POST /api/v4/admin/agents/{name}/evaluate", a.AGENT_EVALUATED)
async def _evaluate(world: World) -> Askings:
    questions = [{"question": "When is the VAT return due?", "answerable": False}]
    yield Asking({"name": "to_evaluate"}, body={"questions": questions})


@success("POST /api/v4/admin/knowledge/uploads", a.KNOWLEDGE_UPLOADED)
async def _upload(world: World) -> Askings:
    yield Asking(content=ARCHIVE)


@success("POST /api/v4/execute", o.EXECUTION_COMPLETED)
async def _ask(world: World) -> Askings:
    yield Asking(body={"query": "When?", "agent": "desk"})


@success("POST /api/v4/execute", o.EXECUTION_COMPLETED)
async def _ask_and_see_it_come(world: World) -> Askings:
    yield Asking(body={"query": "When?", "agent": "desk"}, headers={"Accept": "text/event-stream"})


@success("POST /api/v4/execute", o.EXECUTION_DECLINED)
async def _ask_who_does_not_know(world: World) -> Askings:
    await world.agents.start("unknowing", knows_not)
    yield Asking(body={"query": "When?", "agent": "unknowing"})


@success("POST /api/v4/executions/{execution_id}/cancel", o.EXECUTION_CANCELLED)
async def _cancel_an_execution(world: World) -> Askings:
    slow, name = Slow(), f"slow_{next(_numbers)}"
    await world.agents.start(name, slow)
    asking = asyncio.create_task(world.mighty.post("/api/v4/execute", {"query": "When?", "agent": name}))
    yield Asking({"execution_id": await running(world.mighty, slow)})
    slow.may_answer.set()
    await asking


@success("POST /api/v4/executions/{execution_id}/feedback", o.FEEDBACK_GIVEN)
async def _rate(world: World) -> Askings:
    yield Asking({"execution_id": await world.asked()}, body={"rating": 5})


@success("POST /api/v4/models/v1/chat/completions", g.MODEL_CALLED)
async def _chat(world: World) -> Askings:
    yield Asking(body={"model": "gpt-4o", "messages": HELLO})


@success("POST /api/v4/models/v1/chat/completions", g.MODEL_CALLED)
async def _chat_and_see_it_come(world: World) -> Askings:
    yield Asking(body={"model": "gpt-4o", "messages": HELLO, "stream": True})


@success("POST /api/v4/admin/models/providers", g.PROVIDER_ADDED)
async def _add_a_provider(world: World) -> Askings:
    yield Asking(body=world.own_provider())


@success("PATCH /api/v4/admin/models/providers/{name}", g.PROVIDER_CHANGED)
async def _change_a_provider(world: World) -> Askings:
    yield Asking(await world.added_provider(), body={"enabled": False})


@success("DELETE /api/v4/admin/models/providers/{name}", g.PROVIDER_REMOVED)
async def _remove_a_provider(world: World) -> Askings:
    yield Asking(await world.added_provider())


@success("POST /api/v4/admin/models/providers/{name}/key", g.PROVIDER_KEY_ROTATED)
async def _give_a_provider_another_key(world: World) -> Askings:
    yield Asking(await world.added_provider(), body={"api_key": "another"})


@success("POST /api/v4/admin/models/providers/{name}/test", g.MODEL_CALLED)
async def _try_a_provider(world: World) -> Askings:
    yield Asking(await world.added_provider(), body={"model": "gpt-4o"})


@success("PUT /api/v4/admin/models/policy", g.POLICY_CHANGED)
async def _set_the_policy(world: World) -> Askings:
    yield Asking(body={"agent_models": {"nobody": "gpt-4o"}}, headers={"If-Match": "*"})
