"""user ..., group ..., role ..., org ..., and accept-invitation."""

from pathlib import Path
from typing import Annotated

import typer

from pc_hybrid.options import command
from pc_hybrid.terminal import Terminal

User = Annotated[str, typer.Argument(metavar="USER", help="The username, or the id.")]
Group = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name.")]
Org = Annotated[str, typer.Argument(metavar="ORG", help="Its short name, or the id.")]
Roles = Annotated[
    list[str] | None, typer.Option("--role", metavar="ROLE", help="Repeatable; `pc-hybrid role list` shows them.")
]
Groups = Annotated[list[str] | None, typer.Option("--group", metavar="GROUP", help="Repeatable.")]
Confirmed = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    user = typer.Typer(no_args_is_help=True, help="The people of your organisation.")
    command(user, "list")(list_users)
    command(user, "show")(show_user)
    command(user, "invite")(invite)
    command(user, "suspend")(suspend)
    command(user, "resume")(resume)
    command(user, "offboard")(offboard)
    command(user, "set-roles")(set_roles)
    command(user, "set-groups")(set_groups)
    command(user, "remove-second-factor")(remove_second_factor)
    app.add_typer(user, name="user")
    group = typer.Typer(no_args_is_help=True, help="Groups of people, who hold what their group holds.")
    command(group, "list")(list_groups)
    command(group, "set-roles")(set_group_roles)
    command(group, "remove")(remove_group)
    app.add_typer(group, name="group")
    role = typer.Typer(no_args_is_help=True, help="What roles there are, and what each may do.")
    command(role, "list")(list_roles)
    command(role, "show")(show_role)
    app.add_typer(role, name="role")
    org = typer.Typer(no_args_is_help=True, help="Organisations, for whoever administers the platform.")
    command(org, "list")(list_orgs)
    command(org, "show")(show_org)
    command(org, "create")(create_org)
    command(org, "suspend")(suspend_org)
    command(org, "resume")(resume_org)
    command(org, "offboard")(offboard_org)
    command(org, "offboarding")(show_offboarding)
    command(org, "export")(export_org)
    app.add_typer(org, name="org")
    command(app, "accept-invitation")(accept_invitation)


def list_users(terminal: Terminal) -> None:
    """List the people of your organisation."""
    from pc_hybrid.work import directory

    directory.list_users(terminal)


def show_user(terminal: Terminal, user: User) -> None:
    """Show one of them."""
    from pc_hybrid.work import directory

    directory.show(terminal, user)


def invite(
    terminal: Terminal,
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="What they will sign in as.")],
    display_name: Annotated[str | None, typer.Option(help="The name that people read.")] = None,
    roles: Roles = None,
    groups: Groups = None,
) -> None:
    """Invite somebody, or give somebody who is there a new way to set a password.

    Prints a one-time invitation, which lasts 7 days.
    """
    from pc_hybrid.work import directory

    directory.invite(terminal, username, display_name, roles, groups)


def suspend(terminal: Terminal, user: User) -> None:
    """Keep somebody out, within two seconds, until they are resumed."""
    from pc_hybrid.work import directory

    directory.suspend(terminal, user)


def resume(terminal: Terminal, user: User) -> None:
    """Let somebody in again."""
    from pc_hybrid.work import directory

    directory.resume(terminal, user)


def offboard(terminal: Terminal, user: User, confirmed: Confirmed = False) -> None:
    """Take roles, groups, keys and password from somebody who leaves, and print what was known of the account."""
    from pc_hybrid.work import directory

    directory.offboard(terminal, user, confirmed=confirmed)


def set_roles(terminal: Terminal, user: User, roles: Roles = None) -> None:
    """Give somebody these roles and no others, in force at once."""
    from pc_hybrid.work import directory

    directory.set_roles(terminal, user, roles or [])


def set_groups(terminal: Terminal, user: User, groups: Groups = None) -> None:
    """Put somebody into these groups and no others, in force at once."""
    from pc_hybrid.work import directory

    directory.set_groups(terminal, user, groups or [])


def list_groups(terminal: Terminal) -> None:
    """List the groups of your organisation."""
    from pc_hybrid.work import directory

    directory.list_groups(terminal)


def set_group_roles(terminal: Terminal, group: Group, roles: Roles = None) -> None:
    """Give all members these roles and no others; a group that there is not yet is made."""
    from pc_hybrid.work import directory

    directory.set_group_roles(terminal, group, roles or [])


def remove_group(terminal: Terminal, group: Group, confirmed: Confirmed = False) -> None:
    """Remove a group; its members lose what they held by it."""
    from pc_hybrid.work import directory

    directory.remove_group(terminal, group, confirmed=confirmed)


def list_roles(terminal: Terminal) -> None:
    """List the roles that there are."""
    from pc_hybrid.work import directory

    directory.list_roles(terminal)


def show_role(terminal: Terminal, role: Annotated[str, typer.Argument(metavar="ROLE", help="Its name.")]) -> None:
    """Show all that a role may do."""
    from pc_hybrid.work import directory

    directory.show_role(terminal, role)


def show_org(terminal: Terminal, org: Org) -> None:
    """Show one of them."""
    from pc_hybrid.work import organisations

    organisations.show(terminal, org)


def remove_second_factor(terminal: Terminal, user: User) -> None:
    """Take the second factor from somebody who lost their device and recovery codes."""
    from pc_hybrid.work import directory

    directory.remove_second_factor(terminal, user)


def list_orgs(terminal: Terminal) -> None:
    """List every organisation of the platform."""
    from pc_hybrid.work import organisations

    organisations.list_organisations(terminal)


def create_org(
    terminal: Terminal,
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Its short name: letters, digits and -.")],
    administrator: Annotated[str, typer.Option(metavar="USERNAME", help="Who is invited to administer it.")],
    name: Annotated[str | None, typer.Option(help="The name that people read.")] = None,
) -> None:
    """Make an organisation. Prints the one-time invitation of its first administrator."""
    from pc_hybrid.work import organisations

    organisations.create(terminal, slug, name or slug, administrator)


def suspend_org(terminal: Terminal, org: Org) -> None:
    """Keep everybody of an organisation out; what it has stays."""
    from pc_hybrid.work import organisations

    organisations.suspend(terminal, org)


def resume_org(terminal: Terminal, org: Org) -> None:
    """Let the people of an organisation in again."""
    from pc_hybrid.work import organisations

    organisations.resume(terminal, org)


def offboard_org(
    terminal: Terminal,
    org: Org,
    confirmed: Confirmed = False,
    confirm_name: Annotated[
        str | None, typer.Option(metavar="ORG", help="Its short name once more; asked for on a terminal.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE.ZIP", help="Fetch the export to here at the end.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
    time_limit: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait.")] = 900,
) -> None:
    """Export everything of an organisation, end its agents, sessions and keys, and close it, for good.

    Nobody of it comes in from the beginning on. Takes both --yes and --confirm-name where there is no terminal.
    """
    from pc_hybrid.work import departures

    departures.offboard(terminal, org, confirmed, confirm_name, export, wait=wait, time_limit=time_limit)


def show_offboarding(terminal: Terminal, org: Org) -> None:
    """Show how far an offboarding is, and what its export is known by."""
    from pc_hybrid.work import departures

    departures.show(terminal, org)


def export_org(
    terminal: Terminal,
    org: Org,
    file: Annotated[Path, typer.Argument(metavar="FILE.ZIP", help="Where to.")],
) -> None:
    """Fetch the export of an organisation that is offboarded, and check it."""
    from pc_hybrid.work import departures

    departures.export(terminal, org, file)


def accept_invitation(
    terminal: Terminal,
    api_url: Annotated[str | None, typer.Option(metavar="URL", help="The platform that you are invited to.")] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the invitation and the password from standard input, a line each.")
    ] = False,
) -> None:
    """Set your password by a one-time invitation."""
    from pc_hybrid.work import directory

    directory.accept_invitation(terminal, api_url, from_stdin=stdin)
