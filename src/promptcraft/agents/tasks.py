"""The factory's jobs, bound to what one process works with."""

from functools import partial

from promptcraft.agents import service
from promptcraft.agents.schemas import IndexGrowth, Order, Removal, Revision
from promptcraft.agents.service import Factory, building, deploying, indexing, revising
from promptcraft.kernel.db import Database
from promptcraft.kernel.jobs import JobKind, StandingJob, Step

FORGET_UPLOADS = "agents.forget_interrupted_uploads"
REFRESH_KNOWLEDGE = "agents.refresh_knowledge"
_HOUR = 3600.0
_FIVE_MINUTES = 300.0


def job_kinds(factory: Factory) -> tuple[JobKind, ...]:
    """Creating, deploying and removing agents, and what their indexes are given afterwards."""
    build, deploy = _build_steps(factory), _deploy_steps(factory)
    clear = partial(indexing.clear_workspace, factory)
    return (
        JobKind(Order.CREATE, Order, (*build, *deploy), service.creation_ended),
        JobKind(Order.DEPLOY, Order, deploy, service.deployment_ended),
        JobKind(Revision.KIND, Revision, _revision_steps(factory), service.revision_ended),
        JobKind(
            Removal.KIND,
            Removal,
            (
                Step("stop", partial(service.wait_until_stopped, factory)),
                Step("remove", partial(service.remove_files, factory)),
            ),
            max_attempts=1000,
        ),
        JobKind(
            IndexGrowth.KIND,
            IndexGrowth,
            (
                Step("vectors", partial(indexing.passage_vectors, factory), clear),
                Step("publish", partial(indexing.publish_vectors, factory)),
                Step("calibrate", partial(indexing.publish_calibration, factory), clear),
            ),
            indexing.growth_ended,
            max_attempts=1000,
        ),
    )


def standing_jobs(factory: Factory) -> tuple[StandingJob, ...]:
    """What the factory does by itself from time to time."""

    async def forget_interrupted_uploads(_db: Database) -> None:
        await service.forget_interrupted_uploads(factory)

    return (
        StandingJob(FORGET_UPLOADS, _HOUR, forget_interrupted_uploads),
        StandingJob(REFRESH_KNOWLEDGE, _FIVE_MINUTES, service.refresh_knowledge),
    )


def _build_steps(factory: Factory) -> tuple[Step, ...]:
    clear = partial(building.undo_workspace, factory)
    return (
        Step("validate", partial(building.validate, factory), clear),
        Step("render", partial(building.render, factory), clear),
        Step("ingest", partial(building.ingest, factory)),
        Step("tests", partial(building.generate_tests, factory)),
        Step("verify", partial(building.verify, factory), interruptible=True),
        Step("repository", partial(building.commit, factory), partial(building.undo_commit, factory)),
    )


def _revision_steps(factory: Factory) -> tuple[Step, ...]:
    clear = partial(revising.clear, factory)
    return (
        Step("receive", partial(revising.receive, factory), clear),
        Step("merge", partial(revising.merge, factory), clear),
        Step("verify", partial(revising.verify, factory)),
        Step("keep", partial(revising.keep, factory), partial(revising.undo_keep, factory)),
    )


def _deploy_steps(factory: Factory) -> tuple[Step, ...]:
    return (
        Step("start", partial(deploying.start, factory), partial(deploying.undo_start, factory)),
        Step("healthy", partial(deploying.wait_until_healthy, factory), interruptible=True),
        Step("contract", partial(deploying.take_contract, factory)),
        Step("register", partial(deploying.register, factory), partial(deploying.undo_register, factory)),
        Step("route", partial(deploying.route, factory)),
    )
