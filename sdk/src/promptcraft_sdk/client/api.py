"""The API, one function a route: each makes the call that a Client or an AsyncClient sends."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from promptcraft_sdk.client.schemas import (
    AccountExport,
    Agent,
    AgentCreate,
    AgentDetail,
    ApiKey,
    AuditEvent,
    Creation,
    Deployment,
    Envelope,
    Environment,
    Evaluation,
    Execution,
    ExecutionEntry,
    ExecutionPart,
    Feedback,
    Group,
    Health,
    InsightsReport,
    Invitation,
    LoginSession,
    Logs,
    Me,
    ModelCall,
    ModelList,
    ModelProvider,
    ModelTested,
    NewApiKey,
    Offboarding,
    OrganisationEntry,
    OrganisationFounded,
    Progress,
    Realtime,
    RecoveryCodes,
    Revision,
    Role,
    SecondFactorSecret,
    Token,
    Upload,
    User,
)
from promptcraft_sdk.client.streams import MEDIA_TYPE, SILENCE_SECONDS, Stream
from promptcraft_sdk.client.wire import MOST_ON_A_PAGE, Call, Entries, reader

T = TypeVar("T")

# How much longer than the work itself the answer may take to arrive.
_ANSWER_MARGIN = 10.0
_TRANSFER_TIME_LIMIT = 600.0
_DEFAULT_EXECUTION_SECONDS = 30.0
# Of lists that grow for ever.
_A_PAGE = 50

_AGENTS = "/api/v4/admin/agents"
_SECOND_FACTOR = "/api/v4/me/second-factor"
_API_KEYS = "/api/v4/api-keys"
_USERS = "/api/v4/admin/users"
_GROUPS = "/api/v4/admin/groups"
_ORGANISATIONS = "/api/v4/admin/organizations"
_PROVIDERS = "/api/v4/admin/models/providers"


# --- identity ---------------------------------------------------------------------------------------------------------


def sign_in(username: str, password: str, code: str | None = None) -> Call[Token]:
    """`code` is of the account's second factor, if it has one."""
    body = {"username": username, "password": password}
    return _credential_exchange(body if code is None else {**body, "code": code})


def renew(session: str) -> Call[Token]:
    """A new access token, and the session credential to come with next, for one that was not used yet."""
    return _credential_exchange({"session": session})


def sign_out() -> Call[None]:
    return Call("POST", "/auth/logout", _nothing)


def me() -> Call[Me]:
    return _get("/api/v4/me", Me)


def revoke(credential: str) -> Call[None]:
    """Revoke an access token, a session credential or an API key that one holds, or found."""
    return Call("POST", "/auth/revoke", _nothing, body=_json({"token": credential}), signed=False)


def begin_second_factor() -> Call[SecondFactorSecret]:
    """A secret for one's authenticator, in force once it is confirmed with a code."""
    return _post(_SECOND_FACTOR, SecondFactorSecret, {})


def confirm_second_factor(code: str) -> Call[RecoveryCodes]:
    return _post(_SECOND_FACTOR + "/confirm", RecoveryCodes, {"code": code})


def remove_second_factor(code: str) -> Call[None]:
    return Call("POST", _SECOND_FACTOR + "/remove", _nothing, body=_json({"code": code}))


def sessions() -> Call[list[LoginSession]]:
    """Where one is signed in, the newest first."""
    return _list("/api/v4/sessions", LoginSession)


def end_session(session_id: UUID) -> Call[None]:
    return Call("DELETE", "/api/v4/sessions/{session_id}", _nothing, path_values=_texts({"session_id": session_id}))


def create_api_key(
    name: str, *, permissions: Sequence[str] | None = None, expires_in_days: int | None = None
) -> Call[NewApiKey]:
    """A key for a program, with all of one's own permissions or with these."""
    body = {"name": name, "permissions": permissions, "expires_in_days": expires_in_days}
    return _post(_API_KEYS, NewApiKey, {key: value for key, value in body.items() if value is not None})


def api_keys() -> Call[list[ApiKey]]:
    """One's keys, or all of the organisation's for whoever manages its users."""
    return _list(_API_KEYS, ApiKey)


def rotate_api_key(key_id: UUID, *, overlap_hours: int | None = None) -> Call[NewApiKey]:
    """A new key in the place of an old one, which works on for the overlap."""
    body = {} if overlap_hours is None else {"overlap_hours": overlap_hours}
    return _post(_API_KEYS + "/{key_id}/rotate", NewApiKey, body, key_id=key_id)


def revoke_api_key(key_id: UUID) -> Call[None]:
    return Call("DELETE", _API_KEYS + "/{key_id}", _nothing, path_values=_texts({"key_id": key_id}))


def accept_invitation(invitation: str, password: str) -> Call[None]:
    """Set the password of the account that an invitation is for."""
    body = {"invitation": invitation, "password": password}
    return Call("POST", "/auth/accept-invitation", _nothing, body=_json(body), signed=False)


def roles() -> Call[list[Role]]:
    """The roles that there are, and what each may do."""
    return _get("/api/v4/roles", list[Role])


# --- the organisation -------------------------------------------------------------------------------------------------


def users() -> Call[list[User]]:
    return _list(_USERS, User)


def user(user_id: UUID) -> Call[User]:
    return _get(_USERS + "/{user_id}", User, user_id=user_id)


def invite_user(
    username: str, *, display_name: str | None = None, roles: Sequence[str] | None = None, groups: Sequence[str] = ()
) -> Call[Invitation]:
    """Add somebody, who sets their own password by the invitation; viewer where no role is named."""
    body = {"username": username, "display_name": display_name, "roles": roles, "groups": groups or None}
    return _post(_USERS, Invitation, {key: value for key, value in body.items() if value is not None})


def invite_user_again(user_id: UUID) -> Call[Invitation]:
    """A new one-time way to set a password; the one before is worth nothing."""
    return _post(_USERS + "/{user_id}/invitation", Invitation, {}, user_id=user_id)


def suspend_user(user_id: UUID) -> Call[User]:
    return _post(_USERS + "/{user_id}/suspend", User, {}, user_id=user_id)


def resume_user(user_id: UUID) -> Call[User]:
    return _post(_USERS + "/{user_id}/resume", User, {}, user_id=user_id)


def offboard_user(user_id: UUID) -> Call[AccountExport]:
    """Take everything from somebody who leaves; the answer is what was known of the account."""
    return _post(_USERS + "/{user_id}/offboard", AccountExport, {}, user_id=user_id)


def remove_second_factor_of_user(user_id: UUID) -> Call[User]:
    """For somebody who lost their device and recovery codes."""
    path = _USERS + "/{user_id}/second-factor"
    return Call("DELETE", path, _data(User), path_values=_texts({"user_id": user_id}))


def set_user_roles(user_id: UUID, roles: Sequence[str]) -> Call[User]:
    """These roles and no others."""
    return _put(_USERS + "/{user_id}/roles", User, {"roles": roles}, user_id=user_id)


def set_user_groups(user_id: UUID, groups: Sequence[str]) -> Call[User]:
    """These groups and no others."""
    return _put(_USERS + "/{user_id}/groups", User, {"groups": groups}, user_id=user_id)


def groups() -> Call[list[Group]]:
    return _list(_GROUPS, Group)


def set_group_roles(name: str, roles: Sequence[str]) -> Call[Group]:
    """These roles for every member, and no others; a group that there is not yet is made."""
    return _put(_GROUPS + "/{name}/roles", Group, {"roles": roles}, name=name)


def remove_group(name: str) -> Call[None]:
    return Call("DELETE", _GROUPS + "/{name}", _nothing, path_values={"name": name})


def organisations() -> Call[list[OrganisationEntry]]:
    """Every organisation of the platform, for its administrators."""
    return _list(_ORGANISATIONS, OrganisationEntry)


def found_organisation(slug: str, name: str, administrator: str) -> Call[OrganisationFounded]:
    """Make an organisation and invite its first administrator."""
    return _post(_ORGANISATIONS, OrganisationFounded, {"slug": slug, "name": name, "administrator": administrator})


def suspend_organisation(org_id: UUID) -> Call[OrganisationEntry]:
    return _post(_ORGANISATIONS + "/{org_id}/suspend", OrganisationEntry, {}, org_id=org_id)


def resume_organisation(org_id: UUID) -> Call[OrganisationEntry]:
    return _post(_ORGANISATIONS + "/{org_id}/resume", OrganisationEntry, {}, org_id=org_id)


def offboard_organisation(org_id: UUID, slug: str) -> Call[Offboarding]:
    """Export everything of an organisation, end its agents, sessions and keys, and close it; `slug` confirms which."""
    return _post(_ORGANISATIONS + "/{org_id}/offboard", Offboarding, {"slug": slug}, org_id=org_id)


def offboarding(org_id: UUID) -> Call[Offboarding]:
    return _get(_ORGANISATIONS + "/{org_id}/offboarding", Offboarding, org_id=org_id)


def organisation_export(org_id: UUID) -> Call[bytes]:
    """The zip archive of everything that an organisation had, once it is written."""
    return Call(
        "GET",
        _ORGANISATIONS + "/{org_id}/offboarding/export",
        bytes,
        path_values=_texts({"org_id": org_id}),
        accept="*/*",
        time_limit=_TRANSFER_TIME_LIMIT,
    )


def signing_keys() -> Call[dict[str, Any]]:
    """The public keys of access tokens, as a JSON Web Key Set."""
    return Call("GET", "/.well-known/jwks.json", reader(TypeAdapter(dict[str, Any])), signed=False)


# --- agents -----------------------------------------------------------------------------------------------------------


def upload_knowledge(archive: bytes, *, compressed: bool) -> Call[Upload]:
    """Store a tar archive of documents; the answer's `source` is the same for the same content."""
    return Call(
        "POST",
        "/api/v4/admin/knowledge/uploads",
        _data(Upload),
        body=archive,
        content_type="application/gzip" if compressed else "application/x-tar",
        time_limit=_TRANSFER_TIME_LIMIT,
    )


def create_agent(request: AgentCreate | Mapping[str, Any]) -> Call[Creation]:
    """Start a creation; a mapping is sent as it is, so that the platform is the one to judge it."""
    return _once(_post(f"{_AGENTS}/create", Creation, request))


def creation(creation_id: UUID) -> Call[Progress]:
    return _get(_AGENTS + "/creation/{creation_id}/status", Progress, creation_id=creation_id)


def creation_events(creation_id: UUID) -> Stream[Progress]:
    """Each change of a creation, then its end."""
    return _follow(_AGENTS + "/creation/{creation_id}/events", Progress, creation_id=creation_id)


def cancel_creation(creation_id: UUID) -> Call[Progress]:
    """Have a creation undone instead of finished; follow it until it is cancelled."""
    return _post(_AGENTS + "/creation/{creation_id}/cancel", Progress, {}, creation_id=creation_id)


def agents(*, status: str | None = None, domain: str | None = None) -> Call[list[Agent]]:
    return _list(_AGENTS, Agent, query={"status": status, "domain": domain})


def agent(name: str) -> Call[AgentDetail]:
    return _get(_AGENTS + "/{name}", AgentDetail, name=name)


def delete_agent(name: str) -> Call[None]:
    return Call("DELETE", _AGENTS + "/{name}", _nothing, path_values={"name": name}, time_limit=60.0)


def agent_logs(name: str, *, lines: int | None = None, environment: Environment | None = None) -> Call[Logs]:
    return _get(_AGENTS + "/{name}/logs", Logs, query={"lines": lines, "environment": environment}, name=name)


def agent_repository(name: str) -> Call[bytes]:
    """The agent's repository as a git bundle."""
    return Call(
        "GET",
        _AGENTS + "/{name}/repository",
        bytes,
        path_values={"name": name},
        accept="*/*",
        time_limit=_TRANSFER_TIME_LIMIT,
    )


def push_agent(name: str, bundle: bytes) -> Call[Revision]:
    """Send a git bundle whose main goes on from the agent's; follow it with `revision`."""
    return Call(
        "POST",
        _AGENTS + "/{name}/repository",
        _data(Revision),
        path_values={"name": name},
        body=bundle,
        content_type="application/x-git-bundle",
        time_limit=_TRANSFER_TIME_LIMIT,
    )


def update_agent(name: str) -> Call[Revision]:
    """Have the newest template merged into the agent; follow it with `revision`."""
    return _post(_AGENTS + "/{name}/update", Revision, {}, name=name)


def revision(revision_id: UUID) -> Call[Progress]:
    return _get(_AGENTS + "/revisions/{revision_id}", Progress, revision_id=revision_id)


def deploy_agent(
    name: str, *, environment: Environment = "development", restart_policy: str = "unless-stopped"
) -> Call[Deployment]:
    body = {"agent_name": name, "environment": environment, "restart_policy": restart_policy}
    return _once(_post(_AGENTS + "/{name}/deploy", Deployment, body, name=name))


def evaluate_agent(
    name: str, questions: Any, *, environment: Environment | None = None, calibrate: bool = False
) -> Call[Evaluation]:
    """Ask a running agent a question set; it is sent as it is, so that the platform is the one to judge it."""
    body = {"questions": questions, "environment": environment, "calibrate": calibrate}
    return _post(_AGENTS + "/{name}/evaluate", Evaluation, body, time_limit=_TRANSFER_TIME_LIMIT, name=name)


def deployment(deployment_id: UUID) -> Call[Progress]:
    return _get(_AGENTS + "/deployments/{deployment_id}", Progress, deployment_id=deployment_id)


def deployment_events(deployment_id: UUID) -> Stream[Progress]:
    """Each change of a deployment, then its end."""
    return _follow(_AGENTS + "/deployments/{deployment_id}/events", Progress, deployment_id=deployment_id)


# --- executions -------------------------------------------------------------------------------------------------------


def execute(
    query: str,
    *,
    agent: str | None = None,
    environment: Environment | None = None,
    session_id: UUID | None = None,
    time_limit_seconds: float | None = None,
) -> Call[Execution]:
    """Ask; Zen chooses the agent unless one is named. `session_id` of an earlier answer makes this a follow-up."""
    optional = {
        "agent": agent,
        "environment": environment,
        "session_id": str(session_id) if session_id else None,
        "time_limit_seconds": time_limit_seconds,
    }
    body = {"query": query} | {name: value for name, value in optional.items() if value is not None}
    work = time_limit_seconds or _DEFAULT_EXECUTION_SECONDS
    return _once(_post("/api/v4/execute", Execution, body, time_limit=work + _ANSWER_MARGIN))


def execute_stream(
    query: str,
    *,
    agent: str | None = None,
    environment: Environment | None = None,
    session_id: UUID | None = None,
    time_limit_seconds: float | None = None,
) -> Stream[Execution | ExecutionPart]:
    """Ask, and have the answer's parts as they come; the stream's end is what `execute` answers."""
    call = execute(
        query, agent=agent, environment=environment, session_id=session_id, time_limit_seconds=time_limit_seconds
    )
    read = reader(_adapter(ExecutionPart))
    return Stream(
        call.method,
        call.template,
        call.read,
        body=call.body,
        accept=MEDIA_TYPE,
        time_limit=SILENCE_SECONDS,
        parts=dict.fromkeys(("execution", "agent", "passages", "delta", "withdrawn"), read),
    )


def execution_events(execution_id: UUID) -> Stream[Execution]:
    """Each step of an execution, then its end."""
    return _follow("/api/v4/executions/{execution_id}/events", Execution, execution_id=execution_id)


def cancel_execution(execution_id: UUID) -> Call[Execution]:
    """End a running execution, and what its agent does for it."""
    return _post("/api/v4/executions/{execution_id}/cancel", Execution, {}, execution_id=execution_id)


def execution(execution_id: UUID) -> Call[Execution]:
    return _get("/api/v4/executions/{execution_id}", Execution, execution_id=execution_id)


def model_calls(execution_id: UUID) -> Call[list[ModelCall]]:
    """The calls of models that an execution made, the first one first."""
    return _get("/api/v4/executions/{execution_id}/model-calls", list[ModelCall], execution_id=execution_id)


def give_feedback(execution_id: UUID, rating: int, comment: str = "") -> Call[Feedback]:
    body = {"rating": rating, "comment": comment}
    return _once(_post("/api/v4/executions/{execution_id}/feedback", Feedback, body, execution_id=execution_id))


def executions(*, limit: int | None = None) -> Call[list[ExecutionEntry]]:
    """The newest executions first: so many of them, or a page."""
    return _list("/api/v4/executions", ExecutionEntry, limit or _A_PAGE)


# --- models -----------------------------------------------------------------------------------------------------------


def models() -> Call[ModelList]:
    """The models that may be asked, in the form of the OpenAI API."""
    return Call("GET", "/api/v4/models/v1/models", reader(_adapter(ModelList)))


def chat(request: Mapping[str, Any], *, time_limit: float = 310.0) -> Call[dict[str, Any]]:
    """One chat completion in the form of the OpenAI API, not streamed: for streams give its client the base URL."""
    read = reader(TypeAdapter(dict[str, Any]))
    return Call("POST", "/api/v4/models/v1/chat/completions", read, body=_json(request), time_limit=time_limit)


def model_providers() -> Call[list[ModelProvider]]:
    """Those of the organisation in the order in which they are asked, then the platform's."""
    return _list(_PROVIDERS, ModelProvider)


def model_provider(name: str) -> Call[ModelProvider]:
    return _get(_PROVIDERS + "/{name}", ModelProvider, name=name)


def add_model_provider(provider: Mapping[str, Any]) -> Call[ModelProvider]:
    return _once(_post(_PROVIDERS, ModelProvider, provider))


def change_model_provider(name: str, changes: Mapping[str, Any]) -> Call[ModelProvider]:
    path = {"name": name}
    return Call("PATCH", _PROVIDERS + "/{name}", _data(ModelProvider), path_values=path, body=_json(changes))


def remove_model_provider(name: str) -> Call[None]:
    return Call("DELETE", _PROVIDERS + "/{name}", _nothing, path_values={"name": name})


def rotate_model_key(name: str, api_key: str) -> Call[ModelProvider]:
    return _post(_PROVIDERS + "/{name}/key", ModelProvider, {"api_key": api_key}, name=name)


def try_model_provider(name: str, *, model: str | None = None) -> Call[ModelTested]:
    """One small call of this provider; ApiError says what it did where it failed."""
    return _post(_PROVIDERS + "/{name}/test", ModelTested, {"model": model}, time_limit=310.0, name=name)


def model_policy() -> Call[dict[str, Any]]:
    """What the organisation allows of models."""
    return _get("/api/v4/admin/models/policy", dict[str, Any])


def set_model_policy(policy: Mapping[str, Any], *, if_match: str = "*") -> Call[dict[str, Any]]:
    """Replace what the organisation allows of models, whatever it is or as it was under an ETag.

    What is left out takes its default.
    """
    read = _data(dict[str, Any])
    return Call("PUT", "/api/v4/admin/models/policy", read, body=_json(policy), if_match=if_match)


# --- analytics, audit, health -----------------------------------------------------------------------------------------


def insights(
    *,
    time_range: str | None = None,
    metrics: Sequence[str] = (),
    granularity: str | None = None,
    agents: Sequence[str] = (),
    users: Sequence[str] = (),
    tz: str | None = None,
) -> Call[InsightsReport]:
    """§5.2's report; what is left out takes the platform's default."""
    query = {
        "time_range": time_range,
        "metrics": ",".join(metrics),
        "granularity": granularity,
        "agent_filter": ",".join(agents),
        "user_filter": ",".join(users),
        "tz": tz,
    }
    return Call("GET", "/api/v4/analytics/insights", reader(_adapter(InsightsReport)), query=_given(query))


def realtime() -> Call[Realtime]:
    return _get("/api/v4/analytics/realtime", Realtime)


def audit_events(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str | None = None,
    action: str | None = None,
    request_id: str | None = None,
    limit: int | None = None,
    platform: bool = False,
) -> Call[list[AuditEvent]]:
    """The organisation's own events, the newest first; with `platform` those that belong to no organisation."""
    query = {
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "actor": actor,
        "action": action,
        "request_id": request_id,
    }
    path = "/api/v4/platform/audit/events" if platform else "/api/v4/audit/events"
    return _list(path, AuditEvent, limit or _A_PAGE, query=query)


def health() -> Call[Health]:
    """How the platform's parts are."""
    return _probe("/health")


def live() -> Call[Health]:
    """Whether the process that answers is there at all."""
    return _probe("/health/live")


def ready() -> Call[Health]:
    """Whether it can do its work; ApiError 503 where not."""
    return _probe("/health/ready")


def metrics() -> Call[str]:
    """The metrics of the process that answers, in Prometheus' text format."""
    return Call("GET", "/metrics", bytes.decode, accept="text/plain", signed=False)


# --- how calls are made -----------------------------------------------------------------------------------------------


def _get(template: str, answer: type[T], *, query: Mapping[str, object] | None = None, **path: object) -> Call[T]:
    return Call("GET", template, _data(answer), path_values=_texts(path), query=_given(query or {}))


def _list(
    template: str, entry: type[T], most: int | None = None, *, query: Mapping[str, object] | None = None
) -> Call[list[T]]:
    """All entries of a list where no number is given."""
    adapter: TypeAdapter[Envelope[list[T]]] = _adapter(Envelope[list[entry]])

    def read(body: bytes) -> list[T]:
        return Entries(adapter.validate_json(body).data)

    most = sys.maxsize if most is None else most
    limit = min(most, MOST_ON_A_PAGE)
    return Call("GET", template, read, query=_given({**(query or {}), "limit": limit}), most=most)


def _follow(template: str, answer: type[T], **path: object) -> Stream[T]:
    read = _data(answer)
    return Stream(
        "GET",
        template,
        read,
        path_values=_texts(path),
        accept=MEDIA_TYPE,
        time_limit=SILENCE_SECONDS,
        parts={"progress": read},
        resumable=True,
    )


def _post(
    template: str,
    answer: type[T],
    body: AgentCreate | Mapping[str, Any],
    *,
    time_limit: float = 30.0,
    **path: object,
) -> Call[T]:
    return Call("POST", template, _data(answer), path_values=_texts(path), body=_json(body), time_limit=time_limit)


def _once(call: Call[T]) -> Call[T]:
    """The call with a key of its own: however often it is sent, it is done once."""
    return replace(call, key=str(uuid4()))


def _put(template: str, answer: type[T], body: Mapping[str, Any], **path: object) -> Call[T]:
    return Call("PUT", template, _data(answer), path_values=_texts(path), body=_json(body))


def _probe(path: str) -> Call[Health]:
    return Call("GET", path, reader(_adapter(Health)), time_limit=10.0, signed=False)


def _credential_exchange(body: Mapping[str, str]) -> Call[Token]:
    return Call("POST", "/auth/token", reader(_adapter(Token)), body=_json(body), signed=False)


def _data(answer: type[T]) -> Callable[[bytes], T]:
    """Reads the `data` of an answer."""
    adapter: TypeAdapter[Envelope[T]] = _adapter(Envelope[answer])

    def read(body: bytes) -> T:
        return adapter.validate_json(body).data

    return read


@cache
def _adapter(answer: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(answer)


def _nothing(_: bytes) -> None:
    return None


def _json(body: AgentCreate | Mapping[str, Any]) -> bytes:
    if isinstance(body, AgentCreate):
        return body.model_dump_json(exclude_none=True).encode()
    return _ANYTHING.dump_json(body)


def _given(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value not in (None, "")}


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
