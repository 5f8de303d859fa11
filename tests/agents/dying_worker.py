"""Workers that are killed at one step of one job.

Settings are the first line of standard input. Each further one names a job, a step and a moment ("before" the step's
work, or "after" it but before the ledger knows; "undone": after its undoing), and is answered with how that worker
ended. Each worker is a fork, as in production, which spares it the imports.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from typing import Any, NoReturn
from uuid import UUID

from promptcraft.app.parts import Parts
from promptcraft.app.process import open_process
from promptcraft.app.work import kinds_of
from promptcraft.kernel.jobs import JobKind, Step, StepContext, run_job
from promptcraft.settings import load_settings


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def deadly(step: Step, moment: str) -> Step:
    async def run(context: StepContext) -> dict[str, Any] | None:
        if moment == "after":
            await step.run(context)
        die()

    async def undo(context: StepContext) -> None:
        if step.undo is not None:
            await step.undo(context)
        die()

    return replace(step, undo=undo) if moment == "undone" else replace(step, run=run)


def with_deadly(kind: JobKind, name: str, moment: str) -> JobKind:
    steps = tuple(deadly(step, moment) if step.name == name else step for step in kind.steps)
    return JobKind(kind.name, kind.payload, steps, kind.finished, kind.max_attempts)


async def work(settings: dict[str, str], job: str, step: str, moment: str) -> None:
    process = open_process("worker", load_settings(settings))
    parts = Parts.make(process)
    kinds = {name: with_deadly(kind, step, moment) for name, kind in kinds_of(parts).items()}
    await run_job(process.db, kinds, UUID(job), "dying")


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
            sys.stdout.flush()
        else:
            asyncio.run(work(settings, *line.split()))
            os._exit(0)


if __name__ == "__main__":
    main()
