"""The index of a built version grows while the agent runs: vectors of its passages, a calibration.

What is added lies beside the files of the version, which running agents take up by themselves, and on the branch of its
repository. It is numbers that no code is made of, so a version stays the one that passed its checks.
"""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from promptcraft.agents.clients import Repository, make_vectors
from promptcraft.agents.clients.places import put_into, remove
from promptcraft.agents.errors import VectorsBusy
from promptcraft.agents.schemas import IndexGrowth, Order
from promptcraft.agents.service.factory import Factory
from promptcraft.agents.service.pipeline import CALIBRATION_STEPS, VECTOR_STEPS
from promptcraft.agents.tables import VersionRow
from promptcraft.kernel import audit, clock
from promptcraft.kernel.actor import Actor
from promptcraft.kernel.audit.catalogue.agents import INDEX_GROWN
from promptcraft.kernel.jobs import JobState, JobView, Retry, StepContext, enqueue
from promptcraft.kernel.telemetry import get_logger
from promptcraft_sdk.configuration import CALIBRATION, INDEX, VECTORS, Calibration

_log = get_logger(__name__)


async def want_vectors(session: AsyncSession, actor: Actor, order: Order) -> None:
    """Have the vectors of a version's passages made once this transaction is committed."""
    growth = IndexGrowth(
        agent_id=order.agent_id, name=order.spec.name, version=order.version, requested_at=clock.now()
    )  # fmt: skip
    await enqueue(session, actor, IndexGrowth.KIND, growth, VECTOR_STEPS)


async def want_calibration(session: AsyncSession, actor: Actor, growth: IndexGrowth) -> None:
    """Have a calibration put into a version once this transaction is committed."""
    await enqueue(session, actor, IndexGrowth.KIND, growth, CALIBRATION_STEPS)


async def passage_vectors(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Make the vectors in the job's workspace. Raises VectorsNotMade; Retry while those of others are made."""
    if await _version(step) is None:
        return {"vectors": 0}
    workspace = factory.places.workspace(step.job_id)
    target = workspace / VECTORS
    await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
    index = _directory(factory, step) / INDEX
    try:
        made = await make_vectors(factory.supplies.environment, index, target, factory.places.vectors_lock())
    except VectorsBusy as busy:
        raise Retry("vectors of other passages are being made on this host") from busy
    return {"vectors": made}


async def publish_vectors(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Put the vectors where running agents find them, and on the branch."""
    count = step.results["vectors"]["vectors"]
    done = await _grow(factory, step, VECTORS, f"{count} vectors of passages", vectors=count)
    await clear_workspace(factory, step)
    return done


async def publish_calibration(factory: Factory, step: StepContext) -> dict[str, Any]:
    """Put the calibration where running agents find it, and on the branch."""
    growth: IndexGrowth = step.payload
    if growth.calibration is None or await _version(step) is None:
        return {}
    file = factory.places.workspace(step.job_id) / CALIBRATION
    await asyncio.to_thread(_write, file, growth.calibration)
    what = f"answers from {growth.calibration.enough:.4g} on, by {growth.calibration.questions} questions"
    done = await _grow(factory, step, CALIBRATION, what)
    await clear_workspace(factory, step)
    return done


async def clear_workspace(factory: Factory, step: StepContext) -> None:
    """Remove what the job wrote on its way."""
    await asyncio.to_thread(remove, factory.places.workspace(step.job_id))


async def growth_ended(_session: AsyncSession, _actor: Actor, job: JobView) -> None:
    """A version whose index did not grow answers as before; why stands in the log."""
    if job.state is JobState.FAILED:
        _log.warning("an index did not grow", extra={"job": str(job.id), "reason": job.error})


async def _grow(
    factory: Factory, step: StepContext, inside: Path, what: str, *, vectors: int | None = None
) -> dict[str, Any]:
    growth: IndexGrowth = step.payload
    before = await _version(step)
    if before is None or vectors == 0:
        return {}
    if before.index_job == step.job_id:  # its worker died before that was kept
        return {"commit": before.index_commit}
    workspace = factory.places.workspace(step.job_id)
    repository = Repository(factory.places.repository(step.actor.org_id, growth.agent_id), factory.git_author)
    message = f"{growth.name} {growth.version}: {what}"
    parent = before.index_commit or before.commit
    made = await repository.extend(parent, workspace, [inside], message, growth.requested_at)
    await asyncio.to_thread(put_into, _directory(factory, step), workspace / inside, inside)
    async with step.unit_of_work() as session:
        row = await session.get(VersionRow, _key(step), with_for_update=True)
        if row is None:  # deleted meanwhile
            return {}
        if row.index_commit != before.index_commit:
            raise Retry("its index was given something else meanwhile")
        # Where the branch holds newer work than this version's, that is left as it is: the files have been added.
        row.index_version, row.index_job = row.index_version + 1, step.job_id
        row.index_commit = made or row.index_commit
        row.vectors = row.vectors if vectors is None else vectors
        await audit.record(
            session, step.actor, INDEX_GROWN, resource=growth.name, agent=growth.name, version=growth.version,
            index=row.index_version, what=what, commit=made,
        )  # fmt: skip
    return {"commit": made}


async def _version(step: StepContext) -> VersionRow | None:
    async with step.unit_of_work() as session:
        return await session.get(VersionRow, _key(step))


def _key(step: StepContext) -> tuple[Any, ...]:
    return (step.actor.org_id, step.payload.agent_id, step.payload.version)


def _directory(factory: Factory, step: StepContext) -> Path:
    return factory.places.version(step.actor.org_id, step.payload.agent_id, step.payload.version)


def _write(file: Path, calibration: Calibration) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(calibration.model_dump_json(indent=2) + "\n", encoding="utf-8")
