"""Forms of addresses: web, database, Redis, telemetry, repositories. Those that may hold a password are secrets."""

import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import SecretStr

from promptcraft.settings.forms import HOST, PORT, Form, csv
from promptcraft.settings.problems import Refusal

_DATABASE_FIX = "write postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_REDIS_FIX = "write redis://:PASSWORD@HOST:6379/0, rediss://... for TLS, or unix:///PATH/TO/SOCKET"


def split(value: str, fix: str) -> SplitResult:
    """Take an address apart; refuse what cannot be."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise Refusal("is not an address", fix) from None
    return parts


def _web(value: str) -> str:
    fix = "write https://HOST[:PORT][/PATH]"
    parts = split(value, fix)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal("is not a web address", fix)
    if parts.username or parts.password:
        raise Refusal("holds a name or password", "leave them out of the address and use the setting made for them")
    return value.rstrip("/")


def _database(value: str) -> SecretStr:
    parts = split(value, _DATABASE_FIX)
    scheme = parts.scheme.removesuffix("+psycopg")
    if scheme not in ("postgresql", "postgres"):
        raise Refusal("is not a PostgreSQL address", _DATABASE_FIX)
    if not parts.path.strip("/"):
        raise Refusal("names no database", _DATABASE_FIX)
    return SecretStr("postgresql+psycopg" + value[len(parts.scheme) :])


def _redis(value: str) -> SecretStr:
    parts = split(value, _REDIS_FIX)
    if parts.scheme == "unix":
        if not parts.path.startswith("/") or parts.path == "/":
            raise Refusal("names no socket", _REDIS_FIX)
    elif parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise Refusal("is not a Redis address", _REDIS_FIX)
    elif not re.fullmatch(r"/?\d{0,3}", parts.path):
        raise Refusal("names a database that is not a number", _REDIS_FIX)
    return SecretStr(value)


def _otlp(value: str) -> str:
    fix = "write the OTLP address, such as http://HOST:4318"
    parts = split(value, fix)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refusal("is not an OTLP address", fix)
    if parts.port == 14268 or parts.path.startswith("/api/traces"):
        raise Refusal(
            "is the address of Jaeger 1, which has ended and does not speak OTLP",
            f"use Jaeger 2 or a collector: {parts.scheme}://{parts.hostname}:4318",
        )
    return value.rstrip("/")


def _siem(value: str) -> SecretStr:
    schemes = ("https", "splunk+https", "elastic+https", "syslog+tls", "s3")
    fix = f"write an address whose scheme is one of {', '.join(schemes)}"
    parts = split(value, fix)
    if parts.scheme not in schemes or not parts.netloc:
        raise Refusal("selects no protocol that events can be exported by", fix)
    return SecretStr(value)


def _repository(value: str) -> str:
    fix = "write https://HOST/ORG, ssh://git@HOST/ORG, git@HOST:ORG or a file path"
    if re.fullmatch(r"[\w.-]+@[\w.-]+:[\w./~-]+", value) or value.startswith("/"):
        return value.rstrip("/")
    parts = split(value, fix)
    if parts.scheme not in ("https", "ssh", "file") or not (parts.hostname or parts.scheme == "file"):
        raise Refusal("is not the address of git repositories", fix)
    if parts.password:
        raise Refusal("holds a password", "leave it out and give git a credential helper")
    return value.rstrip("/")


def _endpoint(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator:
        return HOST.parse(value)
    return f"{HOST.parse(host)}:{PORT.parse(port)}"


def _store(value: str) -> str:
    fix = "write s3://BUCKET/PATH, file:///PATH, https://HOST/PATH or a path"
    parts = split(value, fix)
    if value.startswith("/") or (
        parts.scheme in ("s3", "gs", "https", "http", "file") and len(value) > len(parts.scheme) + 3
    ):
        return value
    raise Refusal("is not a place for files", fix)


def database_parts(address: SecretStr) -> dict[str, str]:
    """Name the parts of a database address as the settings that hold them one by one."""
    parts = urlsplit(address.get_secret_value())
    given = {
        "host": parts.hostname or parse_qs(parts.query).get("host", [""])[0],
        "port": str(parts.port or ""),
        "name": unquote(parts.path.strip("/")),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    return {name: value for name, value in given.items() if value}


def redis_parts(address: SecretStr) -> dict[str, str]:
    """Name the parts of a Redis address; the number of its database apart, which may differ per use."""
    parts = urlsplit(address.get_secret_value())
    host = parts.path if parts.scheme == "unix" else (parts.hostname or "")
    port = "" if parts.scheme == "unix" else str(parts.port or 6379)
    given = {"host": host, "port": port, "password": unquote(parts.password or "")}
    return {name: value for name, value in given.items() if value}


WEB = Form("a web address", _web)
DATABASE = Form("a PostgreSQL address", _database, secret=True)
REDIS = Form("a Redis address: redis://, rediss:// or unix://", _redis, secret=True)
OTLP = Form("an OTLP address such as http://HOST:4318", _otlp)
SIEM = Form("an address whose scheme names the protocol", _siem, secret=True)
REPOSITORY = Form("https, ssh or a file path", _repository)
ENDPOINT = Form("HOST or HOST:PORT", _endpoint)
ENDPOINTS = csv(ENDPOINT, "instances as HOST:PORT between commas")
STORE = Form("s3://, file://, https:// or a path", _store)
