"""analytics ..."""

from typing import Annotated, Literal

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

TimeRange = Literal["7d", "30d", "90d", "1y"]


def register(app: typer.Typer) -> None:
    analytics = typer.Typer(no_args_is_help=True, help="How the agents are used, and how well they do.")
    command(analytics, "usage")(usage)
    command(analytics, "performance")(performance)
    app.add_typer(analytics, name="analytics")


def usage(
    terminal: Terminal, time_range: Annotated[TimeRange, typer.Option(help="How far back to look.")] = "30d"
) -> None:
    """Report queries, times, costs and ratings, in all and by agent."""
    from pc_hybrid.work import analytics

    analytics.usage(terminal, time_range)


def performance(terminal: Terminal) -> None:
    """Show the last five minutes."""
    from pc_hybrid.work import analytics

    analytics.performance(terminal)
