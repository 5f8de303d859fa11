"""Measuring an agent by the questions of the people who know the answers."""

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents.errors import AgentNotFound, AgentNotRunning, TooFewQuestions
from promptcraft.agents.schemas import AgentEvaluation, EvaluationRequest, IndexGrowth
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.indexing import want_calibration
from promptcraft.agents.tables import AgentRow, VersionRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.agents import AGENT_EVALUATED
from promptcraft.kernel.db import unit_of_work
from promptcraft.registry import UpstreamFailed
from promptcraft.runtime import Environment, Instance, instances
from promptcraft_sdk.configuration import ASK, ENOUGH, Calibration, Retrieval
from promptcraft_sdk.questions import (
    LEAST_ANSWERABLE,
    LEAST_UNANSWERABLE,
    AskedQuestion,
    Verdict,
    calibrated,
    judge,
    tally,
)

_RANK: tuple[Environment, ...] = ("production", "staging", "development")
_SECONDS = 30.0


class _Citation(BaseModel):
    model_config = ConfigDict(frozen=True)

    file: str
    start_line: int
    end_line: int
    text: str


class _Answer(BaseModel):
    """What is read of an agent's answer."""

    model_config = ConfigDict(frozen=True)

    answered: bool
    confidence: float
    citations: tuple[_Citation, ...] = ()


async def evaluate_agent(factory: Factory, actor: Actor, name: str, request: EvaluationRequest) -> AgentEvaluation:
    """Ask a running agent every question and judge its answers; calibrate it by them if that is asked for.

    Raises AgentNotFound, AgentNotRunning, TooFewQuestions (to calibrate by), and as its upstream does.
    """
    if request.calibrate:
        _check_enough(request.questions)
    async with unit_of_work(factory.db, actor) as session:
        row, version = await _agent(session, actor, name)
        running = await _running(session, actor, name, request.environment)
    verdicts = tuple([await _ask(factory, str(running.socket), asked) for asked in request.questions])
    retrieval: Retrieval = "fused" if version.vectors else "bm25"
    enough = calibrated(verdicts, ENOUGH[retrieval]) if request.calibrate else None
    async with unit_of_work(factory.db, actor) as session:
        await audit.record(
            session, actor, AGENT_EVALUATED, resource=name, agent=name, version=row.version,
            environment=running.environment, questions=len(verdicts), calibrated=enough is not None,
        )  # fmt: skip
        if enough is not None:
            calibration = Calibration(retrieval=retrieval, enough=enough, questions=len(verdicts))
            growth = IndexGrowth(
                agent_id=row.id, name=name, version=version.number, requested_at=clock.now(), calibration=calibration
            )
            await want_calibration(session, actor, growth)
    return AgentEvaluation(
        agent_name=name,
        version=running.version,
        environment=running.environment,
        retrieval=retrieval,
        figures=tally(verdicts),
        enough=enough,
        verdicts=verdicts,
    )


def _check_enough(questions: tuple[AskedQuestion, ...]) -> None:
    answerable = sum(one.answerable for one in questions)
    if answerable < LEAST_ANSWERABLE or len(questions) - answerable < LEAST_UNANSWERABLE:
        raise TooFewQuestions(
            f"There are {answerable} answerable and {len(questions) - answerable} unanswerable questions.",
            next_step=f"Bring at least {LEAST_ANSWERABLE} answerable and {LEAST_UNANSWERABLE} unanswerable ones, or "
            "evaluate without calibrating.",
        )


async def _agent(session: AsyncSession, actor: Actor, name: str) -> tuple[AgentRow, VersionRow]:
    row = await session.scalar(select(AgentRow).where(AgentRow.org_id == actor.org_id, AgentRow.name == name))
    if row is None:
        raise AgentNotFound
    version = await session.get(VersionRow, (actor.org_id, row.id, row.version))
    if version is None:
        raise AgentNotRunning(f"{name} is {row.stage}.")
    return row, version


async def _running(session: AsyncSession, actor: Actor, name: str, environment: Environment | None) -> Instance:
    """The instance to ask: healthy, in the environment that is named or else counts most."""
    healthy = [
        one
        for one in await instances(session, actor, name=name)
        if one.desired == "running" and one.observed == "healthy" and environment in (None, one.environment)
    ]
    if not healthy:
        raise AgentNotRunning(f"{name} does not run in {environment}." if environment else f"{name} does not run.")
    return min(healthy, key=lambda one: _RANK.index(one.environment))


async def _ask(factory: Factory, socket: str, asked: AskedQuestion) -> Verdict:
    result = await factory.upstream.call_tool(socket, ASK, {"query": asked.question}, _SECONDS)
    try:
        answer = _Answer.model_validate(result.structured)
    except ValidationError as error:
        raise UpstreamFailed("Its answer has not the form of one.") from error
    return judge(asked, answer.answered, answer.confidence, answer.citations)
