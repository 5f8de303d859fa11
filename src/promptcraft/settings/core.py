"""Settings of kernel: the database, Redis, the data directory, logs and traces."""

import os
import socket
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field, SecretStr

from promptcraft.settings import addresses, forms
from promptcraft.settings.base import ContextSettings, Setting


def default_data_dir(xdg_data_home: str = "") -> Path:
    """Name the XDG place; the specification of XDG says that a relative $XDG_DATA_HOME is ignored."""
    share = Path(xdg_data_home) if xdg_data_home.startswith("/") else Path("~/.local/share").expanduser()
    return share / "promptcraft"


class CoreSettings(ContextSettings):
    """Where the platform keeps its state and says what it does."""

    context: ClassVar[str] = "kernel"

    data_dir: Annotated[
        Path,
        Setting(
            forms.PATH,
            "directory of everything this host keeps",
            ours=True,
            unset="promptcraft in $XDG_DATA_HOME, else in ~/.local/share",
        ),
    ] = Field(default_factory=default_data_dir)
    master_key: Annotated[
        SecretStr | None,
        Setting(forms.KEY, "key that seals every other key", ours=True, unset="generated in the data directory"),
    ] = None

    analytics_db_host: Annotated[
        str | None,
        Setting(
            forms.HOST,
            "outside PostgreSQL server: the platform's one database, as its owner",
            aliases=("POSTGRES_HOST",),
            unset="the embedded server",
        ),
    ] = None
    analytics_db_port: Annotated[int, Setting(forms.PORT, "port of the outside PostgreSQL server")] = 5432
    analytics_db_name: Annotated[str, Setting(forms.WORD, "name of the database on it")] = "promptcraft"
    analytics_db_user: Annotated[str, Setting(forms.WORD, "the role that owns the schema")] = "promptcraft"
    analytics_db_password: Annotated[SecretStr | None, Setting(forms.SECRET, "password of that role")] = None
    analytics_db_url: Annotated[
        SecretStr | None,
        Setting(
            addresses.DATABASE,
            "the same in one address; wins over the parts, which must not contradict it",
            aliases=("POSTGRES_URL",),
            example="postgresql://promptcraft:PASSWORD@db.example.org:5432/promptcraft",
        ),
    ] = None
    db_app_url: Annotated[
        SecretStr | None,
        Setting(addresses.DATABASE, "outside server: the application's role, bound by row-level security", ours=True),
    ] = None
    db_system_url: Annotated[
        SecretStr | None,
        Setting(addresses.DATABASE, "outside server: the role of jobs, outbox and sequencing", ours=True),
    ] = None
    db_direct_url: Annotated[
        SecretStr | None,
        Setting(addresses.DATABASE, "outside server: an unpooled address for LISTEN and advisory locks", ours=True),
    ] = None

    redis_host: Annotated[
        str | None, Setting(forms.HOST, "outside Redis or Valkey server", unset="the embedded server")
    ] = None
    redis_port: Annotated[int, Setting(forms.PORT, "port of the outside Redis server")] = 6379
    redis_password: Annotated[SecretStr | None, Setting(forms.SECRET, "password of the outside Redis server")] = None
    redis_url: Annotated[
        SecretStr | None,
        Setting(addresses.REDIS, "the same in one address", example="redis://:PASSWORD@redis.example.org:6379/0"),
    ] = None
    celery_broker_url: Annotated[
        SecretStr | None,
        Setting(addresses.REDIS, "the same server for background work; only the database's number may differ"),
    ] = None

    log_level: Annotated[
        dict[str, str],
        Setting(forms.LOG_LEVELS, "level of the logs, for each logger", example="INFO,promptcraft.audit=DEBUG"),
    ] = {"": "INFO"}
    enable_distributed_tracing: Annotated[bool, Setting(forms.FLAG, "export traces by OTLP")] = False
    otel_exporter_otlp_endpoint: Annotated[
        str | None,
        Setting(
            addresses.OTLP, "where traces go", aliases=("JAEGER_ENDPOINT",), example="http://jaeger.example.org:4318"
        ),
    ] = None
    instance_id: Annotated[
        str | None,
        Setting(forms.WORD, "name of this process in logs and leases", unset="host and process id"),
    ] = None

    @property
    def owner_url(self) -> SecretStr | None:
        """SQLAlchemy address of the outside database as its owner; None: the embedded server."""
        if self.analytics_db_url or not self.analytics_db_host:
            return self.analytics_db_url
        login = _login(self.analytics_db_user, self.analytics_db_password)
        host = f"[{self.analytics_db_host}]" if ":" in self.analytics_db_host else self.analytics_db_host
        return SecretStr(
            f"postgresql+psycopg://{login}@{host}:{self.analytics_db_port}/{quote(self.analytics_db_name, safe='')}"
        )

    @property
    def redis_address(self) -> SecretStr | None:
        """Address of the outside Redis with its password; None: the embedded server."""
        if given := self.redis_url or self.celery_broker_url:
            return _with_password(given, self.redis_password)
        if not self.redis_host:
            return None
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        return _with_password(SecretStr(f"redis://{host}:{self.redis_port}/0"), self.redis_password)

    @property
    def broker_address(self) -> SecretStr | None:
        """Address of Celery's broker: the same server, in the database that CELERY_BROKER_URL names."""
        return (
            _with_password(self.celery_broker_url, self.redis_password)
            if self.celery_broker_url
            else self.redis_address
        )

    @property
    def master_key_bytes(self) -> bytes | None:
        """The master key's 32 bytes, or None where the platform generates it."""
        return forms.parse_key(self.master_key.get_secret_value()) if self.master_key else None

    @property
    def instance(self) -> str:
        """This process's name in logs and leases."""
        return self.instance_id or f"{socket.gethostname()}-{os.getpid()}"


def _login(user: str, password: SecretStr | None) -> str:
    return quote(user, safe="") + (":" + quote(password.get_secret_value(), safe="") if password else "")


def _with_password(address: SecretStr, password: SecretStr | None) -> SecretStr:
    parts = urlsplit(address.get_secret_value())
    if not password or parts.password:
        return address
    netloc = f"{_login(parts.username or '', password)}@{parts.netloc.rpartition('@')[2]}"
    return SecretStr(urlunsplit(parts._replace(netloc=netloc)))
