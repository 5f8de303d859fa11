"""model ..."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider.")]
_KeyStdin = Annotated[bool, typer.Option("--key-stdin", help="Read the key from standard input.")]


def register(app: typer.Typer) -> None:
    model = typer.Typer(no_args_is_help=True, help="Models: which there are, whom they are asked of, what is allowed.")
    command(model, "list")(list_models)
    command(model, "providers")(providers)
    command(model, "add-provider")(add_provider)
    command(model, "show-provider")(show_provider)
    command(model, "change-provider")(change_provider)
    command(model, "remove-provider")(remove_provider)
    command(model, "rotate-key")(rotate_key)
    command(model, "test")(test)
    command(model, "policy")(policy)
    app.add_typer(model, name="model")


def list_models(terminal: Terminal) -> None:
    """List the models that your organisation allows."""
    from pc_hybrid.work import models

    models.list_models(terminal)


def providers(terminal: Terminal) -> None:
    """List the providers in the order in which they are asked."""
    from pc_hybrid.work import models

    models.providers(terminal)


def add_provider(
    terminal: Terminal,
    name: _Name,
    base_url: Annotated[str, typer.Option("--base-url", metavar="URL", help="Address of its OpenAI API.")],
    kind: Annotated[
        Literal["openai", "azure"], typer.Option(help="azure has paths and a header of its own.")
    ] = "openai",
    api_version: Annotated[str | None, typer.Option(metavar="DATE", help="Azure's older API by deployment.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=ITS_NAME]", help="A model that it has; again for more.")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Lower ones are asked first (default 100).")] = None,
    key_stdin: _KeyStdin = False,
) -> None:
    """Add a provider; its key is asked for, or read from standard input, and never shown again."""
    from pc_hybrid.work import models

    models.add_provider(terminal, name, base_url, kind, api_version, model or [], priority, key_stdin)


def show_provider(terminal: Terminal, name: _Name) -> None:
    """Show one provider."""
    from pc_hybrid.work import models

    models.show_provider(terminal, name)


def change_provider(
    terminal: Terminal,
    name: _Name,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Address of its OpenAI API.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=ITS_NAME]", help="All models that it has; again for more.")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Lower ones are asked first.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is asked at all.")] = None,
) -> None:
    """Change what is given of a provider, and nothing else; rotate-key changes its key."""
    from pc_hybrid.work import models

    models.change_provider(terminal, name, base_url, model, priority, enabled)


def remove_provider(terminal: Terminal, name: _Name) -> None:
    """Remove a provider and its key."""
    from pc_hybrid.work import models

    models.remove_provider(terminal, name)


def rotate_key(terminal: Terminal, name: _Name, key_stdin: _KeyStdin = False) -> None:
    """Give a provider another key."""
    from pc_hybrid.work import models

    models.rotate_key(terminal, name, key_stdin)


def test(
    terminal: Terminal,
    name: _Name,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The model to ask.")] = None,
) -> None:
    """Make one small call of a provider."""
    from pc_hybrid.work import models

    models.test(terminal, name, model)


def policy(
    terminal: Terminal,
    replace: Annotated[
        Path | None, typer.Option("--set", metavar="FILE", help="Replace it by this JSON file; - is standard input.")
    ] = None,
) -> None:
    """Show, or replace, what your organisation allows of models."""
    from pc_hybrid.work import models

    models.policy(terminal, replace)
