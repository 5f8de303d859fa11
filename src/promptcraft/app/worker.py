"""The process that does background work."""

import os
import signal
from dataclasses import dataclass
from uuid import UUID

from promptcraft.app.addresses import needed
from promptcraft.app.parts import Parts
from promptcraft.app.process import Process, open_process
from promptcraft.app.up.gate import wait_for_gate
from promptcraft.app.up.processes import die_with_parent
from promptcraft.kernel.jobs import ensure_standing_jobs, run_job, run_standing_job
from promptcraft.kernel.jobs.queue import job_queue, serve_jobs
from promptcraft.settings import load_settings

_PROCESSES = 2
# One job at a time, the renewal of its lease, and what a step asks beside it.
_POOL_SIZE = 4


@dataclass(frozen=True, slots=True)
class Runner:
    """What one child of the worker runs jobs with."""

    process: Process
    parts: Parts

    async def run(self, job: str) -> None:
        """Run the job of this id, or the standing job of this name."""
        worker = f"{self.process.settings.core.instance}:{os.getpid()}"
        if job in self.parts.standing_jobs:
            await run_standing_job(self.process.db, self.parts.standing_jobs, job, worker)
        else:
            await run_job(self.process.db, self.parts.job_kinds, UUID(job), worker)

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
        await ensure_standing_jobs(process.db, parts.standing_jobs.values())
        return Runner(process, parts)

    broker = needed("REDIS_URL", settings.core.broker_address)
    serve_jobs(job_queue(broker), start, processes=_PROCESSES)
    return 0
