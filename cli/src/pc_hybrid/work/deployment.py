"""Starting an agent, and following what was begun earlier."""

from uuid import UUID

from pc_hybrid.connection import connect
from pc_hybrid.terminal import Terminal
from pc_hybrid.work import progress, repository
from promptcraft_sdk.client import ApiError, Client, api
from promptcraft_sdk.client.schemas import Environment


def deploy(terminal: Terminal, name: str, environment: Environment, *, wait: bool, time_limit: float) -> None:
    with connect() as client:
        started = client.send(api.deploy_agent(name, environment=environment))
        if not wait:
            terminal.data(started, [f"Deploying {name} to {environment}: {started.deployment_id}"])
            terminal.say(f"Follow it:  pc-hybrid agent watch {started.deployment_id}")
            return
        title = f"Deploying {name} to {environment}"
        _follow_deployment(terminal, client, name, started.deployment_id, title, time_limit)


def watch(terminal: Terminal, identifier: UUID, *, time_limit: float) -> None:
    with connect() as client:
        try:
            state = client.send(api.creation(identifier))
        except ApiError as refusal:
            if refusal.status != 404:
                raise
            _watch_other(terminal, client, identifier, time_limit)
            return
        end = progress.follow(
            terminal,
            client,
            api.creation_events(identifier),
            lambda: client.send(api.creation(identifier)),
            title=f"Creating {state.agent_name}",
            what=f"the creation of {state.agent_name}",
            resume=f"pc-hybrid agent watch {identifier}",
            time_limit=time_limit,
        )
        progress.conclude(terminal, client, end)


def _watch_other(terminal: Terminal, client: Client, identifier: UUID, time_limit: float) -> None:
    try:
        name = client.send(api.deployment(identifier)).agent_name
    except ApiError as refusal:
        if refusal.status != 404:
            raise
        name = client.send(api.revision(identifier)).agent_name
        repository.follow_revision(terminal, client, name, identifier, f"Making the next {name}", time_limit)
        return
    _follow_deployment(terminal, client, name, identifier, f"Deploying {name}", time_limit)


def _follow_deployment(
    terminal: Terminal, client: Client, name: str, deployment_id: UUID, title: str, time_limit: float
) -> None:
    end = progress.follow(
        terminal,
        client,
        api.deployment_events(deployment_id),
        lambda: client.send(api.deployment(deployment_id)),
        title=title,
        what=f"the deployment of {name}",
        resume=f"pc-hybrid agent watch {deployment_id}",
        time_limit=time_limit,
    )
    progress.conclude(terminal, client, end)
