"""What settings must hold together. A rule whose settings are refused already is left out."""

import ipaddress
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from promptcraft.settings.addresses import database_parts, redis_parts
from promptcraft.settings.model import Settings
from promptcraft.settings.problems import Problem

Check = Callable[[Settings], Iterator[Problem]]
_ROUTES = Path("/proc/net/route")

# Shortest retention of the log: HIPAA 164.316(b)(2) asks for six years, a SOC 2 period is one year, GDPR sets none.
MINIMUM_RETENTION = {"SOC2": timedelta(days=365), "HIPAA": timedelta(days=2192), "GDPR": timedelta()}


@dataclass(frozen=True, slots=True)
class Rule:
    """A check and the names it speaks of."""

    names: frozenset[str]
    check: Check


RULES: list[Rule] = []


def rule(*names: str) -> Callable[[Check], Check]:
    """Register a check of the named settings."""

    def register(check: Check) -> Check:
        RULES.append(Rule(frozenset(names), check))
        return check

    return register


def broken(settings: Settings, refused: set[str]) -> Iterator[Problem]:
    """Yield what the settings break, but for rules about a setting that is refused already."""
    for each in RULES:
        if not each.names & refused:
            yield from each.check(settings)


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


_DATABASE_PARTS = tuple(f"ANALYTICS_DB_{part}" for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD"))


@rule("ANALYTICS_DB_URL", *_DATABASE_PARTS)
def database(settings: Settings) -> Iterator[Problem]:
    """The database's address and its parts say the same, and parts name a host."""
    core = settings.core
    parts = [name for name in _DATABASE_PARTS if name in settings.given]
    if core.analytics_db_url is None:
        if parts and core.analytics_db_host is None:
            yield Problem(
                parts[0], "is set, but no host is", "set ANALYTICS_DB_HOST as well, or none: the embedded server"
            )
        return
    in_url = database_parts(core.analytics_db_url)
    for name in parts:
        part = name.removeprefix("ANALYTICS_DB_").lower()
        value = in_url.get(part, "5432" if part == "port" else "")
        if value != _plain(getattr(core, name.lower())):
            yield Problem(name, "differs from ANALYTICS_DB_URL", "make them agree, or keep only ANALYTICS_DB_URL")


@rule("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_URL", "CELERY_BROKER_URL")
def redis(settings: Settings) -> Iterator[Problem]:
    """Redis's addresses and parts name one server."""
    core, given = settings.core, settings.given
    parts = [name for name in ("REDIS_PASSWORD", "REDIS_PORT") if name in given]
    if core.redis_address is None:
        for name in parts:
            yield Problem(name, "is set, but no host is", "set REDIS_HOST as well, or neither: the embedded server")
        return
    for url_name, url in (("REDIS_URL", core.redis_url), ("CELERY_BROKER_URL", core.celery_broker_url)):
        if url is None:
            continue
        in_url = redis_parts(url)
        for name in ("REDIS_HOST", *parts):
            value = in_url.get(name.removeprefix("REDIS_").lower())
            unknown = name == "REDIS_PASSWORD" and value is None
            if name in given and not unknown and value != _plain(getattr(core, name.lower())):
                yield Problem(name, f"differs from {url_name}", f"make them agree, or keep only {url_name}")
    if core.redis_url and core.celery_broker_url and redis_parts(core.redis_url) != redis_parts(core.celery_broker_url):
        yield Problem(
            "CELERY_BROKER_URL",
            "names another server than REDIS_URL",
            "name the same server; only the database's number may differ",
        )


@rule("ENABLE_DISTRIBUTED_TRACING", "OTEL_EXPORTER_OTLP_ENDPOINT")
def tracing(settings: Settings) -> Iterator[Problem]:
    """Traces that are exported have somewhere to go."""
    if settings.core.enable_distributed_tracing and not settings.core.otel_exporter_otlp_endpoint:
        fix = "set OTEL_EXPORTER_OTLP_ENDPOINT, such as http://HOST:4318"
        yield Problem("ENABLE_DISTRIBUTED_TRACING", "is true, but no address is set", fix)


@rule("JWT_EXPIRATION_HOURS")
def session_lifetime(settings: Settings) -> Iterator[Problem]:
    """A session ends within a day."""
    if settings.identity.jwt_expiration_hours > timedelta(hours=24):
        yield Problem("JWT_EXPIRATION_HOURS", "is more than a day", "write 24 or less")


@rule("SAML_CERTIFICATE_PATH", "SAML_PRIVATE_KEY_PATH")
def saml_key_pair(settings: Settings) -> Iterator[Problem]:
    """A certificate comes with its key."""
    yield from _together(settings, "SAML_CERTIFICATE_PATH", "SAML_PRIVATE_KEY_PATH", "or neither: a pair is generated")


@rule("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY")
def azure(settings: Settings) -> Iterator[Problem]:
    """A provider comes with its key."""
    yield from _together(settings, "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "or neither: no model is asked")


def _together(settings: Settings, one: str, other: str, otherwise: str) -> Iterator[Problem]:
    for name, missing in ((one, other), (other, one)):
        if name in settings.given and missing not in settings.given:
            yield Problem(name, f"is set without {missing}", f"set {missing} as well, {otherwise}")


@rule("COMPLIANCE_LEVEL", "DEBUG_MODE")
def no_debugging(settings: Settings) -> Iterator[Problem]:
    """Nobody debugs an installation that is audited."""
    if settings.compliance.compliance_level and settings.app.debug_mode:
        yield Problem(
            "DEBUG_MODE", "contradicts COMPLIANCE_LEVEL", "write DEBUG_MODE=false, or leave COMPLIANCE_LEVEL out"
        )


@rule("COMPLIANCE_LEVEL", "DATA_RETENTION_DAYS")
def retention(settings: Settings) -> Iterator[Problem]:
    """The log is kept as long as every level asks."""
    for level in settings.compliance.compliance_level:
        if settings.audit.data_retention_days < MINIMUM_RETENTION[level]:
            fix = f"write {MINIMUM_RETENTION[level].days} or more"
            yield Problem("DATA_RETENTION_DAYS", f"is shorter than COMPLIANCE_LEVEL {level} asks", fix)


@rule("COMPLIANCE_LEVEL", "ENABLE_GDPR_COMPLIANCE")
def privacy(settings: Settings) -> Iterator[Problem]:
    """GDPR asks for what the switch would turn off."""
    off = "ENABLE_GDPR_COMPLIANCE" in settings.given and not settings.compliance.enable_gdpr_compliance
    if off and "GDPR" in settings.compliance.compliance_level:
        yield Problem("ENABLE_GDPR_COMPLIANCE", "contradicts COMPLIANCE_LEVEL GDPR", "write true, or leave it out")


@rule("AGENT_FACTORY_AUTO_PUSH", "AGENT_FACTORY_GIT_URL", "AGENT_FACTORY_REGISTRY_URL")
def auto_push(settings: Settings) -> Iterator[Problem]:
    """What is pushed has somewhere to go."""
    agents = settings.agents
    if agents.agent_factory_auto_push and not (agents.agent_factory_git_url or agents.agent_factory_registry_url):
        fix = "set AGENT_FACTORY_GIT_URL or AGENT_FACTORY_REGISTRY_URL, or write false"
        yield Problem("AGENT_FACTORY_AUTO_PUSH", "is true, but no address is set", fix)


@rule("MIN_REPLICAS", "MAX_REPLICAS")
def replicas(settings: Settings) -> Iterator[Problem]:
    """Bounds are in order."""
    if settings.runtime.min_replicas > settings.runtime.max_replicas:
        yield Problem("MIN_REPLICAS", "is more than MAX_REPLICAS", "write MIN_REPLICAS <= MAX_REPLICAS")


@rule("MCP_SANDBOX_NETWORK")
def sandbox_network(settings: Settings) -> Iterator[Problem]:
    """The sandbox's bridge takes no address that this host routes elsewhere."""
    if settings.runtime.mcp_sandbox_network is None:
        return
    network = ipaddress.ip_network(settings.runtime.mcp_sandbox_network)
    for route in _host_routes():
        if isinstance(network, ipaddress.IPv4Network) and network.overlaps(route):
            fix = "choose a network of which this host has no part, such as 10.213.0.0/16"
            yield Problem("MCP_SANDBOX_NETWORK", f"overlaps {route}, which this host routes", fix)
            return


def _host_routes() -> Iterator[ipaddress.IPv4Network]:
    if not _ROUTES.exists():
        return
    for line in _ROUTES.read_text().splitlines()[1:]:
        columns = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(columns[at]), "little") for at in (1, 7))
        if mask:
            yield ipaddress.IPv4Network((address, mask.bit_count()))


@rule("QDRANT_BACKUP_PATH", "POSTGRES_BACKUP_PATH")
def backup_paths(settings: Settings) -> Iterator[Problem]:
    """Copies can be written, or their directory can be made."""
    for name in ("QDRANT_BACKUP_PATH", "POSTGRES_BACKUP_PATH"):
        path: Path | None = getattr(settings.backup, name.lower())
        if path is None:
            continue
        there = next(parent for parent in (path, *path.parents) if os.path.exists(parent))
        if not there.is_dir() or not os.access(there, os.W_OK):
            yield Problem(name, "is not writable", "name a directory that this user may write to, or make it so")
