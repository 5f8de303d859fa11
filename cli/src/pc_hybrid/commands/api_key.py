"""api-key ..."""

from typing import Annotated

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

Key = Annotated[str, typer.Argument(metavar="KEY", help="Its id, its name, or how it begins.")]


def register(app: typer.Typer) -> None:
    api_key = typer.Typer(no_args_is_help=True, help="Keys that programs come by, in PCH_TOKEN for this one.")
    command(api_key, "create")(create)
    command(api_key, "list")(list_keys)
    command(api_key, "show")(show)
    command(api_key, "rotate")(rotate)
    command(api_key, "revoke")(revoke)
    app.add_typer(api_key, name="api-key")


def create(
    terminal: Terminal,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    permissions: Annotated[
        list[str] | None,
        typer.Option("--permission", metavar="NAME", help="All that it may do, e.g. execution:run. Repeatable."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=366, help="How long it lasts; 90 days otherwise.")] = None,
) -> None:
    """Make a key with all your permissions, or with those given. It is shown once."""
    from pc_hybrid.work import api_keys

    api_keys.create(terminal, name, permissions, days)


def list_keys(terminal: Terminal) -> None:
    """List your keys; all of your organisation's if you manage its users."""
    from pc_hybrid.work import api_keys

    api_keys.list_keys(terminal)


def show(terminal: Terminal, key: Key) -> None:
    """Show one of them."""
    from pc_hybrid.work import api_keys

    api_keys.show(terminal, key)


def rotate(
    terminal: Terminal,
    key: Key,
    overlap: Annotated[
        int | None, typer.Option(min=0, max=168, metavar="HOURS", help="How long the old one works on; 24 otherwise.")
    ] = None,
) -> None:
    """Take a new key in the place of yours. It is shown once."""
    from pc_hybrid.work import api_keys

    api_keys.rotate(terminal, key, overlap)


def revoke(terminal: Terminal, key: Key) -> None:
    """End a key; within two seconds it opens nothing."""
    from pc_hybrid.work import api_keys

    api_keys.revoke(terminal, key)
