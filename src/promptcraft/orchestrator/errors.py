"""Why a query is not answered, or an execution not found."""

from typing import ClassVar

from promptcraft.kernel.errors import Conflict, NotFound, PlatformError, TimedOut, Unavailable


class ExecutionNotFound(NotFound):
    code = "execution_not_found"
    title = "There is no such execution"
    next_step = "List yours with `pc-hybrid execution list`."


class ExecutionNotFinished(Conflict):
    code = "execution_not_finished"
    title = "The execution is still running"
    next_step = "Wait for it, then try again."


class ExecutionOver(Conflict):
    code = "execution_over"
    title = "The execution has ended"
    next_step = "Look at what came of it with `pc-hybrid execution list`."


class SessionNotFound(NotFound):
    code = "session_not_found"
    title = "There is no such session of yours to follow up on"
    next_step = "Leave the session id out to start a new session."


class AgentNotFound(NotFound):
    code = "agent_not_found"
    title = "No such agent is registered"
    next_step = "List the agents with `pc-hybrid agent list`."


class AgentNotRunning(Conflict):
    code = "agent_not_running"
    title = "The agent does not run there"
    next_step = "Start it with `pc-hybrid agent deploy NAME`."


class NoAgents(NotFound):
    code = "no_agents"
    title = "No agent is running that could be asked"
    next_step = "Create one with `pc-hybrid agent create NAME --knowledge DIR`."


class _Recorded:
    """The execution's outcome and its event are committed before this is raised."""

    recorded: ClassVar[bool] = True


class AgentUnavailable(_Recorded, Unavailable):
    code = "agent_unavailable"
    title = "The agent does not answer"
    next_step = "Wait a moment, then ask again; `pc-hybrid agent list` shows its state."


class AgentFailed(_Recorded, PlatformError):
    status: ClassVar[int] = 502
    code = "agent_failed"
    title = "The agent failed"
    next_step = "Read its output with `pc-hybrid agent logs NAME`."


class ExecutionTimedOut(_Recorded, TimedOut):
    code = "execution_timed_out"
    title = "The time limit was reached before the answer"


class ExecutionCancelled(_Recorded, Conflict):
    code = "execution_cancelled"
    title = "The execution was cancelled before its answer came"
    next_step = "Ask again."


class AskerHungUp(_Recorded, PlatformError):
    """Nobody is left to be told; the status is for the metrics (nginx's "client closed request")."""

    status: ClassVar[int] = 499
    code = "disconnected"
    title = "Whoever asked hung up before the answer came"


class ExecutionClosed(_Recorded, Conflict):
    code = "execution_closed"
    title = "The execution was given up before its answer came"
    next_step = "Ask again."
