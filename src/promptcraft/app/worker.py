"""The process that does background work."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from promptcraft.app.addresses import needed
from promptcraft.app.parts import Parts
from promptcraft.app.process import Process, open_process
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.app.up.processes import die_with_parent
from promptcraft.app.work import kinds_of, standing_jobs_of
from promptcraft.kernel.errors import PlatformError
from promptcraft.kernel.jobs import JobKind, StandingJob, ensure_standing_jobs, run_job, run_standing_job
from promptcraft.kernel.jobs.queue import job_queue, serve_jobs
from promptcraft.kernel.telemetry import get_logger
from promptcraft.settings import load_settings

_log = get_logger(__name__)
# One more than would do: passage vectors take long, one agent's at a time, and must not hold up the rest.
_PROCESSES = 3
# One job at a time, the renewal of its lease, and what a step asks beside it.
_POOL_SIZE = 4


@dataclass(frozen=True, slots=True)
class Runner:
    """What one child of the worker runs jobs with."""

    process: Process
    parts: Parts
    kinds: Mapping[str, JobKind]
    standing: Mapping[str, StandingJob]

    async def run(self, job: str) -> None:
        """Run the job of this id, or the standing job of this name."""
        worker = f"{self.process.settings.core.instance}:{os.getpid()}"
        try:
            job_id = UUID(job)
        except ValueError:
            await run_standing_job(self.process.db, self.standing, job, worker)
        else:
            await run_job(self.process.db, self.kinds, job_id, worker)
        # The loop stands still until the next job.
        await self.process.db.notifier.settled()

    async def close(self) -> None:
        await self.parts.close()
        await self.process.close()


def main(gate: int | None) -> int:
    """Work until told to stop."""
    wait_for_gate(gate)
    settings = load_settings()
    parent = os.getpid()

    async def start() -> Runner:
        die_with_parent(signal.SIGKILL, parent=parent)
        process = open_process("worker", settings, pool_size=_POOL_SIZE)
        parts = Parts.make(process)
        await parts.start()
        try:
            await parts.factory.commands.clear_up()
        except PlatformError as problem:  # what needs it will say so; the rest of the work does not
            _log.warning("what commands left is not cleared up", extra={"reason": problem.detail})
        standing = standing_jobs_of(parts)
        await ensure_standing_jobs(process.db, standing.values())
        return Runner(process, parts, kinds_of(parts), standing)

    broker = needed("REDIS_URL", settings.core.broker_address)
    serve_jobs(job_queue(broker), start, processes=_PROCESSES)
    return 0
