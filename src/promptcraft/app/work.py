"""The composition of background work; apart from parts.py, as what the steps import is a worker's to pay for."""

from promptcraft import analytics
from promptcraft.agents.tasks import job_kinds
from promptcraft.agents.tasks import standing_jobs as factory_jobs
from promptcraft.app.parts import Parts
from promptcraft.compliance.tasks import job_kinds as compliance_jobs
from promptcraft.gateway.tasks import STANDING_JOBS as GATEWAY_JOBS
from promptcraft.identity import forget_revocations
from promptcraft.kernel import outbox
from promptcraft.kernel.idempotency import forget_keys
from promptcraft.kernel.jobs import JobKind, StandingJob
from promptcraft.kernel.partitions import keep_partitions
from promptcraft.orchestrator.tasks import STANDING_JOBS as ORCHESTRATOR_JOBS

_HOUR = 3600.0


def kinds_of(parts: Parts) -> dict[str, JobKind]:
    """Every kind of job by its name."""
    return {kind.name: kind for kind in (*job_kinds(parts.factory), *compliance_jobs(parts.departures))}


def standing_jobs_of(parts: Parts) -> dict[str, StandingJob]:
    """The platform's periodic work by its name."""
    consumers: list[outbox.Consumer] = [*analytics.CONSUMERS]
    jobs = [
        StandingJob(outbox.RELAY, 2.0, lambda db: outbox.relay(db, consumers), woken=True),
        StandingJob("outbox.forget", _HOUR, outbox.forget_delivered),
        StandingJob("idempotency_keys.forget", _HOUR, forget_keys),
        StandingJob("partitions.keep", _HOUR, keep_partitions),
        StandingJob("revocations.forget", _HOUR, forget_revocations),
        *factory_jobs(parts.factory),
        *ORCHESTRATOR_JOBS,
        *GATEWAY_JOBS,
    ]
    return {job.name: job for job in jobs}
