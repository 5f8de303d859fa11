"""What every process of the platform opens at its start: the database, Redis, the queue, the sealer."""

from dataclasses import dataclass, field

from promptcraft.app.addresses import missing, needed
from promptcraft.audit import OrganisationSealer
from promptcraft.kernel.audit import install_sealer
from promptcraft.kernel.db import Database
from promptcraft.kernel.jobs.queue import JobQueue, job_queue
from promptcraft.kernel.telemetry import set_up_logging, set_up_tracing
from promptcraft.kernel.wakeups import Redis, RedisNotifier, redis_client
from promptcraft.settings import Settings


@dataclass(frozen=True, slots=True)
class Process:
    """One process's connections; `role` is its name in logs and traces."""

    role: str
    settings: Settings
    db: Database
    redis: Redis = field(repr=False)
    queue: JobQueue = field(repr=False)
    master_key: bytes = field(repr=False)

    async def close(self) -> None:
        await self.db.dispose()
        await self.redis.aclose()


def open_process(role: str, settings: Settings, *, pool_size: int = 8) -> Process:
    """Open what a process needs; nothing is connected before it is used.

    Raises SettingsError where an address is missing, as it is when a role is started by hand without `up`.
    """
    core = settings.core
    levels = ",".join(f"{name}={level}" if name else level for name, level in core.log_level.items())
    set_up_logging(levels, core.instance)
    set_up_tracing(core.otel_exporter_otlp_endpoint if core.enable_distributed_tracing else None, role)
    queue = job_queue(needed("REDIS_URL", core.broker_address))
    redis = redis_client(needed("REDIS_URL", core.redis_address))
    db = Database.connect(
        needed("PROMPTCRAFT_DB_APP_URL", core.db_app_url),
        needed("PROMPTCRAFT_DB_SYSTEM_URL", core.db_system_url),
        RedisNotifier(redis, queue),
        pool_size=pool_size,
    )
    if core.master_key_bytes is None:
        raise missing("PROMPTCRAFT_MASTER_KEY")
    install_sealer(OrganisationSealer(core.master_key_bytes))
    return Process(role, settings, db, redis, queue, core.master_key_bytes)
