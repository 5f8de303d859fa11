"""Why a program does not run."""

from promptcraft.kernel.errors import Conflict, NotFound, TimedOut, Unavailable


class IsolationUnavailable(Unavailable):
    code = "isolation_unavailable"
    title = "This host cannot isolate programs, so only unmodified agents of the built-in template run"
    next_step = "Install bubblewrap (`apt-get install bubblewrap`); `/health` says what is missing."


class NotRunnable(Conflict):
    code = "not_runnable"
    title = "The program cannot be started as it is"
    next_step = "Correct what the detail names, then deploy it again."


class AlreadyRunning(Conflict):
    code = "instance_running"
    title = "This instance already runs"
    next_step = "Stop it first."


class InstanceNotFound(NotFound):
    code = "instance_not_found"
    title = "No such instance"
    next_step = "List the agents with `pc-hybrid agent list`."


class InstanceFailed(Conflict):
    code = "instance_failed"
    title = "The instance failed"
    next_step = "Read its output with `pc-hybrid agent logs NAME`."


class InstanceNotHealthy(TimedOut):
    code = "instance_not_healthy"
    title = "The instance did not become healthy in time"
    next_step = "Read its output with `pc-hybrid agent logs NAME`."
