"""Celery, wrapped once: its one task is "run this job", its one message the job's id or a standing job's name."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from celery import Celery
from celery import signals as celery_signals
from kombu.exceptions import OperationalError as BrokerUnavailable
from redis.exceptions import RedisError

signals: Any = celery_signals
TASK = "promptcraft.run_job"
# The sweep sends a job that is still due again, so an old message says nothing new.
_FORGOTTEN_SECONDS = 60


class RunsJobs(Protocol):
    async def run(self, job: str) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class JobQueue:
    """The sending side."""

    celery: Any

    def send(self, job: str) -> None:
        """Ask some worker to run this job. Raises OSError when the broker is away."""
        try:
            self.celery.send_task(TASK, args=[job], ignore_result=True, retry=False, expires=_FORGOTTEN_SECONDS)
        except (BrokerUnavailable, RedisError) as failure:  # away, or without room for a message
            raise OSError(str(failure)) from failure


def job_queue(redis_url: str) -> JobQueue:
    """The queue on a broker given as redis://, rediss:// or unix:// URL."""
    broker = "redis+socket://" + redis_url.removeprefix("unix://") if redis_url.startswith("unix://") else redis_url
    celery: Any = Celery("promptcraft", broker=broker)
    celery.conf.update(
        task_default_queue="promptcraft",
        task_ignore_result=True,
        # The lease in PostgreSQL decides who runs a job, so a message counts as done when it is taken.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        # Else it would put its logger where ours writes, and nothing a child logs would reach anybody.
        worker_redirect_stdouts=False,
        worker_max_tasks_per_child=None,
        broker_connection_retry_on_startup=True,
        # Left to itself, kombu asks a server that speaks TLS for no certificate.
        broker_use_ssl={"ssl_cert_reqs": ssl.CERT_REQUIRED} if broker.startswith("rediss://") else None,
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 5},
        task_serializer="json",
        accept_content=["json"],
    )
    return JobQueue(celery)


def serve_jobs(queue: JobQueue, start: Callable[[], Awaitable[RunsJobs]], *, processes: int) -> None:
    """Run a worker until it is told to stop: prefork, each child with one event loop and one engine for its life."""
    state: dict[str, Any] = {}

    def runner() -> RunsJobs:
        # Celery swallows what its signals raise: a child whose start failed tries again with its next job.
        if "runner" not in state:
            state["runner"] = state["loop"].run_until_complete(start())
        return state["runner"]

    def child_started(**_: object) -> None:
        state["loop"] = asyncio.new_event_loop()
        runner()

    def child_stops(**_: object) -> None:
        if "runner" in state:
            state["loop"].run_until_complete(state["runner"].close())

    def run(job: str) -> None:
        state["loop"].run_until_complete(runner().run(job))

    queue.celery.task(run, name=TASK)
    signals.worker_process_init.connect(child_started, weak=False)
    signals.worker_process_shutdown.connect(child_stops, weak=False)
    arguments = ["worker", "--loglevel=WARNING", f"--concurrency={processes}", "--pool=prefork"]
    queue.celery.worker_main([*arguments, "--without-gossip", "--without-mingle", "--without-heartbeat"])
