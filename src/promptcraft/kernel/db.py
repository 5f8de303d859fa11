"""Sessions and the unit of work: one transaction, in one organisation, committed here and nowhere else."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from psycopg import Error as DriverError
from sqlalchemy import DateTime, MetaData, Text, TextClause, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from promptcraft.kernel.actor import Actor
from promptcraft.kernel.errors import Unavailable
from promptcraft.kernel.telemetry import get_logger

_SET_ORGANISATION = text("select set_config('app.org_id', :org_id, true)")
_DIALECT = PGDialect_psycopg()
# Longer than the stalls of a machine that is at its limit: who waits is served, who is refused asks again.
_POOL_SECONDS = 10
_log = get_logger(__name__)

# SQLSTATE class 08 is a connection exception, 57P0x a server going down; no state at all: nobody answered.
_UNREACHABLE = ("08", "57P")
# What passes: disk, memory or connections used up, a transaction that lost to another, a statement or lock given up for
# its time, a server that only reads until it is the first one.
_BUSY = ("53", "40", "57014", "55P03", "25006")
# The database's own disk: an error of its system, a file that it may not write or that is not there.
_SYSTEM = "58"
_PERMISSION = "42501"
# A time for which no partition is there, ahead of a clock that was set forward.
_CHECK = "23514"


class Base(DeclarativeBase):
    """Rows. They stay inside the service that owns them. Times are UTC-aware, text has no length in the database."""

    type_annotation_map = {datetime: DateTime(timezone=True), str: Text()}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "%(table_name)s_pkey",
        }
    )


@dataclass(frozen=True, slots=True)
class Wakeup:
    """Who has work to look at: a job by id, the outbox relay, a host's runtime. May be lost; sweeps catch up.

    One that is `kept` goes to a feed, in which a reader who was away for a moment finds it.
    """

    kind: str
    target: str = ""
    kept: bool = False


class Notifier(Protocol):
    async def notify(self, wakeups: list[Wakeup]) -> None: ...
    async def settled(self) -> None: ...


class NoNotifier:
    """Wakes nobody: the sweeps do the work later."""

    async def notify(self, wakeups: list[Wakeup]) -> None:
        return None

    async def settled(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Database:
    """A process's connections: as `app`, in one organisation at a time (`alone`: by the statement), and as `system`."""

    app: AsyncEngine
    system: AsyncEngine
    alone: "Alone"
    notifier: Notifier = field(default_factory=NoNotifier)

    @classmethod
    def connect(
        cls, app_url: str, system_url: str, notifier: Notifier | None = None, *, pool_size: int = 8
    ) -> "Database":
        """Engines over psycopg 3; nothing is connected before the first query."""
        return cls(
            # Its first statement finds out whether the connection still lives.
            _engine(app_url, pool_size, pool_pre_ping=False),
            _engine(system_url, max(2, pool_size // 2)),
            Alone(app_url, max(2, pool_size // 2)),
            notifier or NoNotifier(),
        )

    async def dispose(self) -> None:
        await self.app.dispose()
        await self.system.dispose()
        await self.alone.dispose()


def _engine(url: str, pool_size: int, **options: Any) -> AsyncEngine:
    settings: dict[str, Any] = {"pool_timeout": _POOL_SECONDS, "pool_pre_ping": True, "pool_recycle": 1800, **options}
    return create_async_engine(url, pool_size=pool_size, max_overflow=pool_size, **settings)


class Alone:
    """Connections on which each statement is a transaction by itself, for where a round trip counts.

    They stay in hand: SQLAlchemy's way to a connection, through it and back takes about as long as the database.
    """

    def __init__(self, url: str, size: int) -> None:
        self.engine = _engine(url, size, isolation_level="AUTOCOMMIT")
        self._turns = asyncio.Semaphore(size)
        self._idle: list[tuple[AsyncConnection, Any]] = []

    async def first_value(self, statement: TextClause, parameters: Mapping[str, Any]) -> Any:
        """The first value of what a statement returns that sets its organisation itself, as a function of ours does.

        It may be run twice with one effect: what fails over a connection in hand is asked over another, by SQLAlchemy,
        which tells why. Raises Unavailable as a unit of work does.
        """
        try:
            async with asyncio.timeout(_POOL_SECONDS):
                await self._turns.acquire()
        except TimeoutError as failure:
            raise Unavailable("The database is busy.") from failure
        try:
            with _told_apart():
                with suppress(DriverError):
                    return await self._directly(statement, parameters)
                async with self.engine.connect() as connection:
                    return await connection.scalar(statement, parameters)
        finally:
            self._turns.release()

    async def _directly(self, statement: TextClause, parameters: Mapping[str, Any]) -> Any:
        if not self._idle:
            connection = await self.engine.connect()
            self._idle.append((connection, (await connection.get_raw_connection()).driver_connection))
        connection, driver = self._idle.pop()
        try:
            found = await driver.execute(_sql(statement), parameters, prepare=True)
            (value,) = await found.fetchone()
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        self._idle.append((connection, driver))
        return value

    async def dispose(self) -> None:
        while self._idle:
            await self._idle.pop()[0].close()
        await self.engine.dispose()


BeforeCommit = Callable[[AsyncSession], Awaitable[None]]


def wake_after_commit(session: AsyncSession, wakeup: Wakeup) -> None:
    """Send this wake-up once the session's transaction is committed."""
    wakeups: list[Wakeup] = session.info["wakeups"]
    if wakeup not in wakeups:
        wakeups.append(wakeup)


def before_commit(session: AsyncSession, name: str, action: BeforeCommit) -> None:
    """Run `action` as the transaction's last statement; the same name is run once."""
    actions: dict[str, BeforeCommit] = session.info.setdefault("before_commit", {})
    actions.setdefault(name, action)


@asynccontextmanager
async def unit_of_work(db: Database, actor: Actor) -> AsyncGenerator[AsyncSession]:
    """One transaction in the actor's organisation: commits at the end, rolls back on any error.

    Raises Unavailable when the database cannot be reached, or cannot do it at the moment.
    """
    async with _transaction(db, db.app) as session:
        session.info["org_id"] = actor.org_id
        try:
            await session.execute(_SET_ORGANISATION, {"org_id": str(actor.org_id)})
        except DBAPIError as failure:
            if not failure.connection_invalidated:
                raise
            await session.rollback()
            await session.execute(_SET_ORGANISATION, {"org_id": str(actor.org_id)})
        yield session


@asynccontextmanager
async def system_unit_of_work(db: Database) -> AsyncGenerator[AsyncSession]:
    """One transaction as `system`, which sees the tables of migrations/access.py across organisations."""
    async with _transaction(db, db.system) as session:
        yield session


@lru_cache
def _sql(statement: TextClause) -> str:
    return str(statement.compile(dialect=_DIALECT))


@contextmanager
def _told_apart() -> Generator[None]:
    """What of a failure passes is Unavailable."""
    try:
        yield
    except PoolTimeout as failure:
        raise Unavailable("The database is busy.") from failure
    except DBAPIError as failure:
        passing = _passing(failure)
        if passing is None:
            raise
        raise passing from failure


def _passing(failure: DBAPIError) -> Unavailable | None:
    """What to say of a failure that is the database's and not the statement's."""
    state: str | None = getattr(failure.orig, "sqlstate", None)
    said = str(failure.orig)
    if isinstance(failure, OperationalError | InterfaceError | InternalError):
        if failure.connection_invalidated or state is None or state.startswith(_UNREACHABLE):
            return Unavailable("The database cannot be reached.")
        if state.startswith(_BUSY):
            return Unavailable("The database cannot do this at the moment.")
    if state is not None and (state.startswith(_SYSTEM) or (state == _PERMISSION and said.startswith("could not "))):
        return Unavailable("The database cannot use its disk.")
    if state == _CHECK and said.startswith("no partition of relation"):
        return Unavailable(
            "The database is not prepared for the time that it is on this host.",
            next_step="Check the clocks of this host and of the database; if they are right, wait a moment.",
        )
    return None


@asynccontextmanager
async def _transaction(db: Database, engine: AsyncEngine) -> AsyncGenerator[AsyncSession]:
    wakeups: list[Wakeup] = []
    with _told_apart():
        # It is left by an error as by a cancellation without a commit, and so rolled back.
        async with AsyncSession(engine, expire_on_commit=False) as session:
            session.info["wakeups"] = wakeups
            yield session
            await session.flush()
            actions: dict[str, BeforeCommit] = session.info.get("before_commit", {})
            for action in actions.values():
                await action(session)
            await session.commit()
    if wakeups:
        await db.notifier.notify(wakeups)
