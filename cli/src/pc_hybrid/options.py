"""What every command has in common: its options, and a terminal to talk to."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, cast

import typer

from pc_hybrid.debugging import debug_file
from pc_hybrid.environment import choose_context
from pc_hybrid.terminal import Format, Terminal

if TYPE_CHECKING:
    from pc_hybrid.formats import Select

P = ParamSpec("P")
Body = Callable[Concatenate[Terminal, P], None]


def _common(
    context: Annotated[str | None, typer.Option(metavar="NAME", help="The platform to talk to.")] = None,
    output: Annotated[Format, typer.Option("--output", "--format", "-o", help="How data is printed.")] = "table",
    jq: Annotated[str | None, typer.Option(metavar="PROGRAM", help="Print what this jq program picks.")] = None,
    output_file: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the data to this file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print data and errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Write what happens to a file and name it.")] = False,
) -> None:
    """The options that every command takes."""


_COMMON = inspect.signature(_common).parameters


def command(app: typer.Typer, name: str, *, hidden: bool = False) -> Callable[[Body[P]], Body[P]]:
    """Registers a function as a command: its first argument is the terminal, which the common options describe."""

    def register(body: Body[P]) -> Body[P]:
        own = list(inspect.signature(body).parameters.values())[1:]

        @wraps(body)
        def run(**values: Any) -> None:
            common = {option: values.pop(option) for option in _COMMON}
            choose_context(common["context"])
            terminal = Terminal(common["output"], common["output_file"], common["quiet"], _select(common["jq"]))
            with debug_file(common["debug"]):
                cast("Callable[..., None]", body)(terminal, **values)

        run.__dict__["__signature__"] = inspect.Signature([*own, *_COMMON.values()])
        app.command(name, hidden=hidden)(run)
        return body

    return register


def _select(program: str | None) -> "Select | None":
    """Compiled before anything is asked of the platform: a slip in it must not cost a deed."""
    if program is None:
        return None
    from pc_hybrid.formats import selection

    return selection(program)
