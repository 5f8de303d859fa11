"""The command line: its commands, and the edge at which every failure becomes a message and an exit code."""

import sys
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from pc_hybrid.commands import (
    agent,
    analytics,
    api_key,
    audit,
    completion,
    context,
    directory,
    doctor,
    host,
    model,
    questions,
    session,
)
from pc_hybrid.environment import completing
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import next_line, padded, safe, safe_lines, width

app = typer.Typer(
    name="pc-hybrid",
    help="PromptCraft-Hybrid: make agents from knowledge, ask them, and see what they did.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

host.register(app)
session.register(app)
context.register(app)
api_key.register(app)
directory.register(app)
agent.register(app)
questions.register(app)
analytics.register(app)
audit.register(app)
model.register(app)
doctor.register(app)
completion.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"pc-hybrid {version('pc-hybrid')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """PromptCraft-Hybrid: make agents from knowledge, ask them, and see what they did."""


def main() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without the letter gets a ?, not a traceback
    try:
        _check_arguments()
        if completing():
            from typer._completion_classes import completion_init

            completion_init()
        app(prog_name="pc-hybrid")
    except Failure as failure:
        _end(failure)
    except Exception as error:  # noqa: BLE001  process edge: a person gets a sentence, never a traceback
        from pc_hybrid.refusals import failure_of

        _end(failure_of(error))
    sys.exit(ExitCode.OK)


def _check_arguments() -> None:
    for argument in sys.argv[1:]:
        if not argument.isprintable() and any("\ud800" <= character <= "\udfff" for character in argument):
            raise Failure(
                f"{argument} is not written in UTF-8", exit_code=ExitCode.USAGE, next_step="Convert it, then try again."
            )


def _end(failure: Failure) -> NoReturn:
    terminal = Terminal()
    first, *more = safe_lines(failure.what)
    lines = [f"{terminal.paint('Error:', 'red', sys.stderr)} {first}", *(f"  {line}" for line in more)]
    longest = max((width(safe(pointer)) for pointer, _ in failure.why), default=0)
    lines += [f"  {padded(safe(pointer), longest)}  {safe(detail)}".rstrip() for pointer, detail in failure.why]
    if failure.next_step:
        lines.append(next_line(failure.next_step))
    request = f"request {safe(failure.request_id)}  " if failure.request_id else ""
    lines.append(terminal.paint(f"{request}(exit {failure.exit_code:d})", "dim", sys.stderr))
    print("\n".join(lines), file=sys.stderr)
    sys.exit(failure.exit_code)
