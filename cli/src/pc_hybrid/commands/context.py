"""context ..."""

from typing import Annotated

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

Name = Annotated[str, typer.Argument(metavar="NAME", help="The context.")]


def register(app: typer.Typer) -> None:
    context = typer.Typer(no_args_is_help=True, help="Platforms that you talk to, each with its own credentials.")
    command(context, "list")(list_contexts)
    command(context, "use")(use)
    command(context, "add")(add)
    command(context, "remove")(remove)
    app.add_typer(context, name="context")


def list_contexts(terminal: Terminal) -> None:
    """List them; * marks the one in use."""
    from pc_hybrid.work import contexts

    contexts.list_contexts(terminal)


def use(terminal: Terminal, name: Name) -> None:
    """Have later commands talk to it."""
    from pc_hybrid.work import contexts

    contexts.use(terminal, name)


def add(
    terminal: Terminal,
    name: Name,
    api_url: Annotated[str, typer.Option(metavar="URL", help="The platform's address.")],
) -> None:
    """Give a platform a name. Signing in does so, too."""
    from pc_hybrid.work import contexts

    contexts.add(terminal, name, api_url)


def remove(terminal: Terminal, name: Name) -> None:
    """Forget one; a session that it holds is ended at the platform."""
    from pc_hybrid.work import contexts

    contexts.remove(terminal, name)
