"""The API, one function a route: each makes the call that a Client or an AsyncClient sends."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

from promptcraft_sdk.client.schemas import (
    Agent,
    AgentCreate,
    AgentDetail,
    AuditEvent,
    Creation,
    Deployment,
    Envelope,
    Environment,
    Evaluation,
    Execution,
    ExecutionEntry,
    Feedback,
    Health,
    InsightsReport,
    Logs,
    Me,
    Progress,
    Realtime,
    Token,
    Upload,
)
from promptcraft_sdk.client.wire import Call, reader

T = TypeVar("T")

# How much longer than the work itself the answer may take to arrive.
_ANSWER_MARGIN = 10.0
_TRANSFER_TIME_LIMIT = 600.0
_DEFAULT_EXECUTION_SECONDS = 30.0

_AGENTS = "/api/v4/admin/agents"


# --- identity ---------------------------------------------------------------------------------------------------------


def sign_in(username: str, password: str) -> Call[Token]:
    return _credential_exchange({"username": username, "password": password})


def renew(session: str) -> Call[Token]:
    """A new access token for a session credential."""
    return _credential_exchange({"session": session})


def sign_out() -> Call[None]:
    return Call("POST", "/auth/logout", _nothing)


def me() -> Call[Me]:
    return _get("/api/v4/me", Me)


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
    return _post(f"{_AGENTS}/create", Creation, request)


def creation(creation_id: UUID) -> Call[Progress]:
    return _get(_AGENTS + "/creation/{creation_id}/status", Progress, creation_id=creation_id)


def agents(*, status: str | None = None, domain: str | None = None) -> Call[list[Agent]]:
    return _get(_AGENTS, list[Agent], query={"status": status, "domain": domain})


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


def deploy_agent(
    name: str, *, environment: Environment = "development", restart_policy: str = "unless-stopped"
) -> Call[Deployment]:
    body = {"agent_name": name, "environment": environment, "restart_policy": restart_policy}
    return _post(_AGENTS + "/{name}/deploy", Deployment, body, name=name)


def evaluate_agent(
    name: str, questions: Any, *, environment: Environment | None = None, calibrate: bool = False
) -> Call[Evaluation]:
    """Ask a running agent a question set; it is sent as it is, so that the platform is the one to judge it."""
    body = {"questions": questions, "environment": environment, "calibrate": calibrate}
    return _post(_AGENTS + "/{name}/evaluate", Evaluation, body, time_limit=_TRANSFER_TIME_LIMIT, name=name)


def deployment(deployment_id: UUID) -> Call[Progress]:
    return _get(_AGENTS + "/deployments/{deployment_id}", Progress, deployment_id=deployment_id)


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
    return _post("/api/v4/execute", Execution, body, time_limit=work + _ANSWER_MARGIN)


def execution(execution_id: UUID) -> Call[Execution]:
    return _get("/api/v4/executions/{execution_id}", Execution, execution_id=execution_id)


def give_feedback(execution_id: UUID, rating: int, comment: str = "") -> Call[Feedback]:
    body = {"rating": rating, "comment": comment}
    return _post("/api/v4/executions/{execution_id}/feedback", Feedback, body, execution_id=execution_id)


def executions(*, limit: int | None = None) -> Call[list[ExecutionEntry]]:
    """The newest executions first."""
    return _get("/api/v4/executions", list[ExecutionEntry], query={"limit": limit})


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
        "limit": limit,
    }
    path = "/api/v4/platform/audit/events" if platform else "/api/v4/audit/events"
    return _get(path, list[AuditEvent], query=query)


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


def _post(
    template: str,
    answer: type[T],
    body: AgentCreate | Mapping[str, Any],
    *,
    time_limit: float = 30.0,
    **path: object,
) -> Call[T]:
    return Call("POST", template, _data(answer), path_values=_texts(path), body=_json(body), time_limit=time_limit)


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
