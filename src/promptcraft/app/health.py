"""What the platform says of its own state."""

import asyncio
import math
import time
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy import text

from promptcraft.kernel.api import Db, public
from promptcraft.kernel.context import platform_version
from promptcraft.kernel.db import Database, system_unit_of_work
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.jobs import idle_seconds, jobs_unfinished
from promptcraft.kernel.outbox import facts_waiting
from promptcraft.kernel.telemetry import FACTS_WAITING, JOBS_UNFINISHED, get_logger

router = APIRouter(tags=["health"])
_log = get_logger(__name__)
_ANSWER_SECONDS = 3.0
_STARTED = time.monotonic()
# Facts are relayed every two seconds; a worker that was killed is there again after some.
_IDLE_SECONDS = 20.0


class Part(BaseModel):
    """One part of the platform: `status` is ok or down; `detail` says more where there is more to say."""

    name: str
    status: str
    detail: str | None = None


class Health(BaseModel):
    """`status` is ok when every part is, degraded otherwise."""

    status: str
    version: str
    parts: list[Part]
    isolation: list[dict[str, Any]]
    warnings: list[str]


@router.get("/health/live", dependencies=[public("a supervisor has no credentials")])
async def live() -> dict[str, str]:
    """This process answers."""
    return {"status": "ok"}


@router.get("/health/ready", dependencies=[public("a load balancer has no credentials")])
async def ready(db: Db) -> dict[str, str]:
    """This process can do its work; 503 where its database cannot be reached."""
    part = await _database(db)
    if part.status != "ok":
        raise Unavailable("The database cannot be reached.")
    return {"status": "ok"}


@router.get("/health", dependencies=[public("shown before anybody can sign in")])
async def health(request: Request, db: Db) -> Health:
    """The state of each part, how agents are isolated on each host, and what an administrator should look at."""
    parts = [await _database(db), await _redis(request)]
    isolation: list[dict[str, Any]] = []
    if parts[0].status == "ok":
        with suppress(Unavailable):  # it went away between two questions, and the next look will say so
            isolation = await request.app.state.isolation()
            parts.append(Part(name="runtime", status="ok" if isolation else "down"))
            parts.append(await _worker(db))
    warnings = [warning for host in isolation for warning in host.get("warnings", [])]
    status = "ok" if all(part.status == "ok" for part in parts) else "degraded"
    return Health(status=status, version=platform_version(), parts=parts, isolation=isolation, warnings=warnings)


@router.get(
    "/metrics", response_class=PlainTextResponse, dependencies=[public("scraped by Prometheus; holds no tenant's data")]
)
async def metrics(db: Db) -> Response:
    """This process's metrics, and how much work waits for any, in Prometheus' text format."""
    await _measure_work(db)
    return Response(await asyncio.to_thread(generate_latest), media_type=CONTENT_TYPE_LATEST)


async def _database(db: Database) -> Part:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS), system_unit_of_work(db) as session:
            await session.execute(text("select 1"))
    except (Unavailable, TimeoutError) as problem:
        detail = problem.detail if isinstance(problem, Unavailable) else "The database does not answer."
        return Part(name="database", status="down", detail=detail)
    return Part(name="database", status="ok")


async def _worker(db: Database) -> Part:
    """Whether anybody does background work, as far as this process has been there to see it."""
    watched = time.monotonic() - _STARTED
    async with system_unit_of_work(db) as session:
        idle = await idle_seconds(session)
    idle = watched if idle is None else min(idle, watched)
    if idle > _IDLE_SECONDS:
        return Part(name="worker", status="down", detail=f"Nobody has done background work for {idle:.0f} s.")
    return Part(name="worker", status="ok")


async def _measure_work(db: Database) -> None:
    jobs = facts = math.nan
    try:
        async with system_unit_of_work(db) as session:
            jobs, facts = await jobs_unfinished(session), await facts_waiting(session)
    except Unavailable:
        _log.warning("waiting work is not counted: the database is away")
    JOBS_UNFINISHED.set(jobs)
    FACTS_WAITING.set(facts)


async def _redis(request: Request) -> Part:
    try:
        await request.app.state.redis.ping()
    except (RedisError, OSError) as problem:
        return Part(name="redis", status="down", detail=type(problem).__name__)
    return Part(name="redis", status="ok")
