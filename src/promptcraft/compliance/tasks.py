"""Offboarding as the job that it is, bound to what one process works with."""

from functools import partial

from promptcraft.compliance import service
from promptcraft.compliance.schemas import Departure
from promptcraft.compliance.service import Departures
from promptcraft.kernel.jobs import JobKind, Step


def job_kinds(departures: Departures) -> tuple[JobKind, ...]:
    """Offboarding, which waits for as long as what it waits for takes."""
    steps = (
        Step("quiet", service.quiet),
        Step("export", partial(service.export, departures), partial(service.drop_export, departures)),
        Step("agents", service.end_agents),
        Step("close", service.close),
    )
    return (JobKind(Departure.KIND, Departure, steps, service.ended, max_attempts=1000),)
