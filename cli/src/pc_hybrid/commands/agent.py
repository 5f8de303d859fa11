"""agent ..., and the alias create-agent."""

from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

EnvironmentName = Literal["production", "staging", "development"]
Frequency = Literal["daily", "weekly", "monthly"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.")]
Domain = Annotated[str | None, typer.Option(help="What it is about, in a word: finance, security, ...")]
DisplayName = Annotated[str | None, typer.Option(help="The name that people read.")]
Description = Annotated[str | None, typer.Option(help="What it knows, in a sentence; questions are routed by it.")]
Keywords = Annotated[
    list[str] | None, typer.Option(metavar="WORD,...", help="Words that lead a question to it. Repeatable.")
]
Capabilities = Annotated[
    list[str] | None,
    typer.Option("--capability", metavar="TEXT", help="One thing it can do: becomes a tool. Repeatable."),
]
Knowledge = Annotated[
    list[Path] | None,
    typer.Option(metavar="PATH", help="A directory or file of markdown or JSON to answer from. Repeatable."),
]
Environment = Annotated[EnvironmentName, typer.Option(help="Where it runs.")]
EnvironmentChoice = Annotated[
    EnvironmentName | None, typer.Option(help="Where it runs; development when nothing says otherwise.")
]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="The most memory it may take: 512M, 1G, ...")]
Cpu = Annotated[str | None, typer.Option(metavar="SHARE", help="The most CPU it may take: 0.5, 500m, ...")]
UpdateFrequency = Annotated[Frequency | None, typer.Option(help="How often its knowledge should be taken in anew.")]
Questions = Annotated[
    Path | None,
    typer.Option(metavar="FILE.YAML", help="Questions with their answers that it is measured by, as evaluate takes."),
]
SpecFile = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", metavar="SPEC.JSON", help="The request as JSON (- for standard input); options go over it."
    ),
]
NoDeploy = Annotated[bool, typer.Option("--no-deploy", help="Build it, but do not start it.")]
NoInteractive = Annotated[bool, typer.Option("--no-interactive", help="Never ask for what is missing.")]
TimeLimit = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait for the end.")]


def register(app: typer.Typer) -> None:
    agent = typer.Typer(no_args_is_help=True, help="Make agents, and look after them.")
    command(agent, "create")(create)
    command(agent, "list")(list_agents)
    command(agent, "show")(show)
    command(agent, "logs")(logs)
    command(agent, "clone")(clone)
    command(agent, "fetch")(fetch)
    command(agent, "push")(push)
    command(agent, "update")(update)
    command(agent, "deploy")(deploy)
    command(agent, "evaluate")(evaluate)
    command(agent, "delete")(delete)
    command(agent, "watch")(watch)
    creation = typer.Typer(no_args_is_help=True, help="Creations that are under way.")
    command(creation, "cancel")(cancel_creation)
    agent.add_typer(creation, name="creation")
    app.add_typer(agent, name="agent")
    command(app, "create-agent", hidden=True)(create)


def create(
    terminal: Terminal,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Lower-case letters, digits and _.")] = None,
    named: Annotated[str | None, typer.Option("--name", hidden=True)] = None,
    display_name: DisplayName = None,
    domain: Domain = None,
    description: Description = None,
    keywords: Keywords = None,
    capabilities: Capabilities = None,
    knowledge: Knowledge = None,
    environment: EnvironmentChoice = None,
    memory: Memory = None,
    cpu: Cpu = None,
    update_frequency: UpdateFrequency = None,
    questions: Questions = None,
    spec_file: SpecFile = None,
    no_deploy: NoDeploy = False,
    no_interactive: NoInteractive = False,
    time_limit: TimeLimit = 900,
) -> None:
    """Make an agent from knowledge, test it, and start it."""
    from pc_hybrid.work import creation

    wanted = creation.Wanted(
        name=name or named,
        display_name=display_name,
        domain=domain,
        description=description,
        keywords=tuple(keywords or ()),
        capabilities=tuple(capabilities or ()),
        knowledge=tuple(knowledge or ()),
        environment=environment,
        memory=memory,
        cpu=cpu,
        update_frequency=update_frequency,
        questions=questions,
        spec_file=spec_file,
        deploy=not no_deploy,
    )
    creation.create(terminal, wanted, may_ask=not no_interactive, time_limit=time_limit)


def list_agents(
    terminal: Terminal,
    status: Annotated[str | None, typer.Option(help="Only those in this state: running, failed, ...")] = None,
    domain: Annotated[str | None, typer.Option(help="Only those of this domain.")] = None,
) -> None:
    """List your organisation's agents."""
    from pc_hybrid.work import agents

    agents.list_agents(terminal, status, domain)


def show(terminal: Terminal, name: Name) -> None:
    """Show one agent: its state, version, tools and limits."""
    from pc_hybrid.work import agents

    agents.show(terminal, name)


def logs(
    terminal: Terminal,
    name: Name,
    lines: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="How many of the newest lines.")] = None,
    environment: Annotated[EnvironmentName | None, typer.Option(help="What it wrote there.")] = None,
) -> None:
    """Print what an agent wrote."""
    from pc_hybrid.work import agents

    agents.logs(terminal, name, lines, environment)


def clone(
    terminal: Terminal,
    name: Name,
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Where to; NAME when left out.")] = None,
) -> None:
    """Get an agent's repository, history included."""
    from pc_hybrid.work import repository

    repository.clone(terminal, name, directory)


def fetch(
    terminal: Terminal,
    name: Name,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Its clone; here when left out.")] = Path("."),
) -> None:
    """Get what the platform added to an agent's repository since you cloned it."""
    from pc_hybrid.work import repository

    repository.fetch(terminal, name, directory)


def push(
    terminal: Terminal,
    name: Name,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="Its clone; here when left out.")] = Path("."),
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has passed its checks.")] = True,
    time_limit: TimeLimit = 900,
) -> None:
    """Send the main branch of your clone: the agent's next version, once it passes its checks."""
    from pc_hybrid.work import repository

    repository.push(terminal, name, directory, wait=wait, time_limit=time_limit)


def update(
    terminal: Terminal,
    name: Name,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has passed its checks.")] = True,
    time_limit: TimeLimit = 900,
) -> None:
    """Merge the platform's newest template into an agent; your own edits stay."""
    from pc_hybrid.work import repository

    repository.update(terminal, name, wait=wait, time_limit=time_limit)


def deploy(
    terminal: Terminal,
    name: Name,
    environment: Environment = "development",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it runs.")] = True,
    time_limit: TimeLimit = 900,
) -> None:
    """Start an agent, or start it again."""
    from pc_hybrid.work import deployment

    deployment.deploy(terminal, name, environment, wait=wait, time_limit=time_limit)


def evaluate(
    terminal: Terminal,
    name: Name,
    questions: Annotated[
        Path, typer.Argument(metavar="QUESTIONS.YAML", help="The question set (- for standard input).")
    ],
    environment: Annotated[EnvironmentName | None, typer.Option(help="Ask the one that runs there.")] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Have it answer from the confidence on that fits the questions best.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every question, not only the misses.")] = False,
) -> None:
    """Measure a running agent by questions whose answers you know."""
    from pc_hybrid.work import evaluation

    evaluation.evaluate(terminal, name, questions, environment, calibrate=calibrate, every=verbose)


def delete(
    terminal: Terminal,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop an agent and delete it, repository included."""
    from pc_hybrid.work import agents

    agents.delete(terminal, name, confirmed=yes)


def cancel_creation(
    terminal: Terminal,
    identifier: Annotated[UUID, typer.Argument(metavar="ID", help="Of the creation.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until nothing of it is left.")] = True,
    time_limit: TimeLimit = 900,
) -> None:
    """Undo a creation that is under way."""
    from pc_hybrid.work import creation

    creation.cancel(terminal, identifier, wait=wait, time_limit=time_limit)


def watch(
    terminal: Terminal,
    identifier: Annotated[UUID, typer.Argument(metavar="ID", help="Of a creation, a deployment or a next version.")],
    time_limit: TimeLimit = 900,
) -> None:
    """Follow a creation, a deployment or a next version to its end."""
    from pc_hybrid.work import deployment

    deployment.watch(terminal, identifier, time_limit=time_limit)
