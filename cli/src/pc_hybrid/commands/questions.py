"""ask, feedback, execution ..."""

from typing import Annotated
from uuid import UUID

import typer

from pc_hybrid.commands.agent import EnvironmentName
from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

Identifier = Annotated[str, typer.Argument(metavar="ID", help="The execution's id, or its beginning.")]


def register(app: typer.Typer) -> None:
    execution = typer.Typer(no_args_is_help=True, help="What was asked, and what came of it.")
    command(app, "ask")(ask)
    command(app, "feedback")(feedback)
    command(execution, "list")(list_executions)
    command(execution, "watch")(watch_execution)
    command(execution, "cancel")(cancel_execution)
    command(execution, "show")(show)
    app.add_typer(execution, name="execution")


def ask(
    terminal: Terminal,
    query: Annotated[str, typer.Argument(metavar="QUESTION", help="In your own words; - reads standard input.")],
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Ask this agent; otherwise one is chosen.")] = None,
    environment: Annotated[EnvironmentName | None, typer.Option(help="Ask the agent that runs there.")] = None,
    session: Annotated[UUID | None, typer.Option(metavar="ID", help="Follow up on an earlier answer.")] = None,
    time_limit: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="How long the answer may take.")
    ] = None,
) -> None:
    """Ask a question; the answer names the lines that it stands on."""
    from pc_hybrid.work import questions

    questions.ask(terminal, query, agent, environment, session, time_limit)


def feedback(
    terminal: Terminal,
    identifier: Identifier,
    rating: Annotated[int, typer.Argument(metavar="RATING", min=1, max=5, help="1 useless ... 5 just right.")],
    comment: Annotated[str, typer.Option(help="What was good or bad about it.")] = "",
) -> None:
    """Rate an answer; your second rating replaces your first."""
    from pc_hybrid.work import questions

    questions.feedback(terminal, identifier, rating, comment)


def watch_execution(
    terminal: Terminal,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The execution's id, or its beginning.")],
) -> None:
    """Follow an execution to its end."""
    from pc_hybrid.work import questions

    questions.watch_execution(terminal, identifier)


def cancel_execution(
    terminal: Terminal,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The execution's id, or its beginning.")],
) -> None:
    """End an execution that is under way, and what its agent does for it."""
    from pc_hybrid.work import questions

    questions.cancel_execution(terminal, identifier)


def list_executions(
    terminal: Terminal, limit: Annotated[int | None, typer.Option(min=1, help="How many of the newest.")] = None
) -> None:
    """List what was asked, the newest first."""
    from pc_hybrid.work import questions

    questions.list_executions(terminal, limit)


def show(terminal: Terminal, identifier: Identifier) -> None:
    """Show what was done for a question: steps, agents, passages, calls of models, and what each took and cost."""
    from pc_hybrid.work import trace

    trace.show(terminal, identifier)
