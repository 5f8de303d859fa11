"""audit ..."""

from datetime import datetime
from typing import Annotated

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def register(app: typer.Typer) -> None:
    audit = typer.Typer(no_args_is_help=True, help="Who did what, when, and what came of it.")
    command(audit, "list")(list_events)
    app.add_typer(audit, name="audit")


def list_events(
    terminal: Terminal,
    since: Annotated[
        datetime | None,
        typer.Option(formats=_FORMATS, metavar="TIME", help="From then on; UTC without an offset."),
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=_FORMATS, metavar="TIME", help="Before this time.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="ID", help="Only what this user did.")] = None,
    action: Annotated[str | None, typer.Option(metavar="NAME", help="Only this action, e.g. agent.create.")] = None,
    request_id: Annotated[str | None, typer.Option(metavar="ID", help="Only what this request did.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="How many of the newest.")] = None,
) -> None:
    """List your organisation's audit events, the newest first."""
    from pc_hybrid.work import audit

    audit.list_events(terminal, since, until, actor, action, request_id, limit)
