"""login, logout, whoami, second-factor ..."""

from typing import Annotated

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

ApiUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The platform to sign in to. Without it: the last one, or http://127.0.0.1:8000."),
]
Username = Annotated[str | None, typer.Option(help="Asked for on a terminal when left out.")]
Code = Annotated[
    str | None, typer.Option(metavar="CODE", help="Of your second factor; asked for on a terminal when it is needed.")
]
OneCode = Annotated[str, typer.Argument(metavar="CODE", help="Of your authenticator, or a recovery code.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def register(app: typer.Typer) -> None:
    command(app, "login")(login)
    command(app, "configure", hidden=True)(login)
    command(app, "logout")(logout)
    command(app, "whoami")(whoami)
    factor = typer.Typer(no_args_is_help=True, help="One-time codes of an authenticator, asked for at login.")
    command(factor, "enrol")(enrol)
    command(factor, "remove")(remove)
    app.add_typer(factor, name="second-factor")


def login(
    terminal: Terminal,
    api_url: ApiUrl = None,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    code: Code = None,
) -> None:
    """Sign in to a platform; later commands talk to it."""
    from pc_hybrid.work import session

    session.login(terminal, api_url, username, password_stdin, code)


def logout(terminal: Terminal) -> None:
    """End the session, there and here."""
    from pc_hybrid.work import session

    session.logout(terminal)


def whoami(terminal: Terminal) -> None:
    """Show who you are to the platform, and what you may do."""
    from pc_hybrid.work import session

    session.whoami(terminal)


def enrol(terminal: Terminal) -> None:
    """Set up an authenticator. Prints recovery codes: keep them where the authenticator is not."""
    from pc_hybrid.work import second_factor

    second_factor.enrol(terminal)


def remove(terminal: Terminal, code: OneCode) -> None:
    """Sign in by password alone again."""
    from pc_hybrid.work import second_factor

    second_factor.remove(terminal, code)
