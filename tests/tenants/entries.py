"""What each operation is tried with: the same request once with their things and once with what was never there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from tests.agents.conftest import SPEC
from tests.tenants.archives import ARCHIVE


@dataclass(frozen=True)
class Things:
    """Ids and names of what an organisation has; the `_to_copy` ones are names that ours takes, too."""

    organisation: str
    user: str
    username: str
    session: str
    key: str
    credential: str
    group: str
    group_to_copy: str
    second_group_to_copy: str
    agent: str
    agent_to_copy: str
    server: str
    upload: str
    creation: str
    deployment: str
    revision: str
    execution: str
    conversation: str
    provider: str
    provider_to_copy: str
    second_provider_to_copy: str
    model: str
    request: str
    domain: str

    IDENTIFIERS: ClassVar = (
        "organisation", "user", "session", "key", "creation", "deployment", "revision", "execution", "conversation",
        "request",
    )  # fmt: skip

    def values(self) -> Iterator[tuple[str, str]]:
        yield from ((one.name, getattr(self, one.name)) for one in fields(self))

    @property
    def telling(self) -> list[str]:
        """Those that stand nowhere but where somebody tells of them."""
        ours_too = ("domain", "request")
        return [value for name, value in self.values() if name not in ours_too and not name.endswith("_to_copy")]


@dataclass(frozen=True)
class Entry:
    """One operation: what of `Things` goes into its path, its query and its body.

    `reveals` names what it does tell of others, with the reason; `tells_them` is why the attempt is in their own log.
    """

    path: Callable[[Things], dict[str, str]] = lambda _: {}
    query: Callable[[Things], dict[str, str]] = lambda _: {}
    body: Callable[[Things], Any] | None = None
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    reveals: str = ""
    tells_them: str = ""


def _body(**fixed: Any) -> Callable[[Things], Any]:
    return lambda _: fixed


def _named(parameter: str, thing: str) -> Callable[[Things], dict[str, str]]:
    return lambda things: {parameter: getattr(things, thing)}


AGENT = _named("name", "agent")
PROVIDER = _named("name", "provider")
GROUP = _named("name", "group")
USER = _named("user_id", "user")
KEY = _named("key_id", "key")
ORG = _named("org_id", "organisation")
CREATION = _named("creation_id", "creation")
DEPLOYMENT = _named("deployment_id", "deployment")
EXECUTION = _named("execution_id", "execution")
OWN = Entry()

# One line an operation of docs/openapi.json: a new route needs one here, with whatever of another organisation its
# path, query and body can name. OWN is for what names nothing.
ENTRIES: dict[str, Entry] = {
    "GET /.well-known/jwks.json": OWN,
    "GET /health": OWN,
    "GET /health/live": OWN,
    "GET /health/ready": OWN,
    "GET /metrics": OWN,
    "POST /auth/token": Entry(
        body=lambda t: {"username": t.username, "password": "not the password"},
        tells_them="an organisation sees who tried the names of its people",
    ),
    "POST /auth/logout": OWN,
    "POST /auth/revoke": Entry(body=lambda t: {"token": t.credential}),
    "POST /auth/accept-invitation": Entry(body=lambda t: {"invitation": t.user, "password": "a long new password"}),
    "GET /api/v4/sessions": OWN,
    "DELETE /api/v4/sessions/{session_id}": Entry(lambda t: {"session_id": t.session}),
    "GET /api/v4/api-keys": OWN,
    "POST /api/v4/api-keys": Entry(body=_body(name="their-key")),
    "POST /api/v4/api-keys/{key_id}/rotate": Entry(KEY, body=_body(overlap_hours=0)),
    "DELETE /api/v4/api-keys/{key_id}": Entry(KEY),
    "GET /api/v4/roles": OWN,
    "GET /api/v4/me": OWN,
    "POST /api/v4/me/second-factor": OWN,
    "POST /api/v4/me/second-factor/confirm": Entry(body=_body(code="000000")),
    "POST /api/v4/me/second-factor/remove": Entry(body=_body(code="000000")),
    "GET /api/v4/admin/users": OWN,
    "POST /api/v4/admin/users": Entry(
        body=lambda t: {"username": t.username},
        reveals="usernames are the platform's, as people sign in by them alone: a taken one is refused as taken",
    ),
    "GET /api/v4/admin/users/{user_id}": Entry(USER),
    "POST /api/v4/admin/users/{user_id}/invitation": Entry(USER),
    "POST /api/v4/admin/users/{user_id}/suspend": Entry(USER),
    "POST /api/v4/admin/users/{user_id}/resume": Entry(USER),
    "POST /api/v4/admin/users/{user_id}/offboard": Entry(USER),
    "DELETE /api/v4/admin/users/{user_id}/second-factor": Entry(USER),
    "PUT /api/v4/admin/users/{user_id}/roles": Entry(USER, body=_body(roles=["viewer"])),
    "PUT /api/v4/admin/users/{user_id}/groups": Entry(USER, body=_body(groups=["engineering"])),
    "GET /api/v4/admin/groups": OWN,
    "PUT /api/v4/admin/groups/{name}/roles": Entry(lambda t: {"name": t.group_to_copy}, body=_body(roles=["viewer"])),
    "DELETE /api/v4/admin/groups/{name}": Entry(GROUP),
    "GET /api/v4/admin/organizations": OWN,
    "POST /api/v4/admin/organizations": Entry(body=_body(slug="rival", name="Rival", administrator="their-bob")),
    "POST /api/v4/admin/organizations/{org_id}/suspend": Entry(ORG),
    "POST /api/v4/admin/organizations/{org_id}/resume": Entry(ORG),
    "POST /api/v4/admin/organizations/{org_id}/offboard": Entry(ORG, body=_body(slug="rival")),
    "GET /api/v4/admin/organizations/{org_id}/offboarding": Entry(ORG),
    "GET /api/v4/admin/organizations/{org_id}/offboarding/export": Entry(ORG),
    "GET /api/v4/admin/agents": Entry(query=lambda t: {"domain": t.domain}),
    "POST /api/v4/admin/agents/create": Entry(
        body=lambda t: {
            "agent_spec": {
                **SPEC,
                "name": t.agent_to_copy,
                "knowledge_sources": [{"type": "markdown", "source": t.upload}],
            }
        }
    ),
    "GET /api/v4/admin/agents/creation/{creation_id}/status": Entry(CREATION),
    "GET /api/v4/admin/agents/creation/{creation_id}/events": Entry(CREATION),
    "POST /api/v4/admin/agents/creation/{creation_id}/cancel": Entry(CREATION),
    "GET /api/v4/admin/agents/deployments/{deployment_id}": Entry(DEPLOYMENT),
    "GET /api/v4/admin/agents/deployments/{deployment_id}/events": Entry(DEPLOYMENT),
    "GET /api/v4/admin/agents/revisions/{revision_id}": Entry(_named("revision_id", "revision")),
    "GET /api/v4/admin/agents/{name}": Entry(AGENT),
    "DELETE /api/v4/admin/agents/{name}": Entry(AGENT),
    "GET /api/v4/admin/agents/{name}/logs": Entry(AGENT),
    "GET /api/v4/admin/agents/{name}/repository": Entry(AGENT),
    "POST /api/v4/admin/agents/{name}/repository": Entry(AGENT, content=b"# v2 git bundle\n"),
    "POST /api/v4/admin/agents/{name}/update": Entry(AGENT),
    "POST /api/v4/admin/agents/{name}/deploy": Entry(AGENT, body=lambda t: {"agent_name": t.agent}),
    "POST /api/v4/admin/agents/{name}/evaluate": Entry(
        lambda t: {"name": t.server}, body=_body(questions=[{"question": "When?", "answerable": False}])
    ),
    "POST /api/v4/admin/knowledge/uploads": Entry(content=ARCHIVE),
    "GET /api/v4/admin/models/providers": OWN,
    "POST /api/v4/admin/models/providers": Entry(
        body=lambda t: {"name": t.provider_to_copy, "base_url": "http://127.0.0.1:9/v1"}
    ),
    "GET /api/v4/admin/models/providers/{name}": Entry(PROVIDER),
    "PATCH /api/v4/admin/models/providers/{name}": Entry(PROVIDER, body=_body(enabled=False)),
    "DELETE /api/v4/admin/models/providers/{name}": Entry(PROVIDER),
    "POST /api/v4/admin/models/providers/{name}/key": Entry(PROVIDER, body=_body(api_key="stolen")),
    "POST /api/v4/admin/models/providers/{name}/test": Entry(PROVIDER, body=lambda t: {"model": t.model}),
    "GET /api/v4/admin/models/policy": OWN,
    "PUT /api/v4/admin/models/policy": Entry(
        body=lambda t: {"agent_models": {t.agent: t.model}}, headers={"If-Match": "*"}
    ),
    "POST /api/v4/models/v1/chat/completions": Entry(
        body=lambda t: {"model": t.model, "messages": [{"role": "user", "content": "Hello"}]}
    ),
    "GET /api/v4/models/v1/models": OWN,
    "POST /api/v4/execute": Entry(
        body=lambda t: {"query": "What?", "agent": t.server, "session_id": t.conversation}
    ),
    "GET /api/v4/executions": OWN,
    "GET /api/v4/executions/{execution_id}": Entry(EXECUTION),
    "GET /api/v4/executions/{execution_id}/model-calls": Entry(EXECUTION),
    "GET /api/v4/executions/{execution_id}/events": Entry(EXECUTION),
    "POST /api/v4/executions/{execution_id}/cancel": Entry(EXECUTION),
    "POST /api/v4/executions/{execution_id}/feedback": Entry(EXECUTION, body=_body(rating=1)),
    "GET /api/v4/analytics/insights": Entry(query=lambda t: {"agent_filter": t.server, "user_filter": t.user}),
    "GET /api/v4/analytics/realtime": OWN,
    "GET /api/v4/audit/events": Entry(query=lambda t: {"actor": t.user, "request_id": t.request}),
    "GET /api/v4/platform/audit/events": Entry(query=lambda t: {"actor": t.user, "request_id": t.request}),
}  # fmt: skip
