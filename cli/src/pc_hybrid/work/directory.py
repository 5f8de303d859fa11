"""People, groups and roles."""

import getpass
import sys
from collections.abc import Sequence

from pc_hybrid import environment
from pc_hybrid.connection import connect
from pc_hybrid.contexts import target
from pc_hybrid.credentials import CredentialStore
from pc_hybrid.failures import ExitCode, Failure, missing
from pc_hybrid.terminal import Terminal, people_here
from pc_hybrid.text import clipped, safe, table
from pc_hybrid.work.figures import moment
from promptcraft_sdk.client import Client, api
from promptcraft_sdk.client.schemas import Group, Invitation, Role, User

_LONGEST = 100
_HEADS = ("USERNAME", "STATE", "ROLES", "GROUPS", "SINCE")


def list_users(terminal: Terminal) -> None:
    with connect() as client:
        users = client.send(api.users())
    terminal.data(users, table(_HEADS, [_row(user) for user in users]), columns=User)


def show(terminal: Terminal, user: str) -> None:
    with connect() as client:
        _print(terminal, _found(client, user))


def invite(
    terminal: Terminal,
    username: str,
    display_name: str | None,
    roles: Sequence[str] | None,
    groups: Sequence[str] | None,
) -> None:
    with connect() as client:
        known = [user for user in client.send(api.users()) if user.username == username.strip().casefold()]
        if known and (roles or groups or display_name):
            raise Failure(
                f"{safe(username)} is a user already",
                exit_code=ExitCode.CONFLICT,
                next_step="Leave the options out to give them a new invitation; user set-roles changes what they may.",
            )
        call = (
            api.invite_user_again(known[0].id)
            if known
            else api.invite_user(username, display_name=display_name, roles=roles, groups=groups or ())
        )
        show_invitation(terminal, client.send(call), client.base_url)


def suspend(terminal: Terminal, user: str) -> None:
    with connect() as client:
        _print(terminal, client.send(api.suspend_user(_found(client, user).id)))


def resume(terminal: Terminal, user: str) -> None:
    with connect() as client:
        _print(terminal, client.send(api.resume_user(_found(client, user).id)))


def offboard(terminal: Terminal, user: str, *, confirmed: bool) -> None:
    with connect() as client:
        found = _found(client, user)
        if not confirmed and not terminal.confirm(f"Offboard {safe(found.username)}? It cannot be taken back", "--yes"):
            raise Failure(f"{safe(found.username)} was not offboarded", next_step="", exit_code=ExitCode.FAILED)
        export = client.send(api.offboard_user(found.id))
    kept = f"{len(export.sessions)} sessions ended, {len(export.api_keys)} keys revoked"
    terminal.data(export, [f"{safe(found.username)} is offboarded: {kept}", *table(_HEADS, [_row(export.user)])])


def set_roles(terminal: Terminal, user: str, roles: Sequence[str]) -> None:
    with connect() as client:
        _print(terminal, client.send(api.set_user_roles(_found(client, user).id, roles)))


def set_groups(terminal: Terminal, user: str, groups: Sequence[str]) -> None:
    with connect() as client:
        _print(terminal, client.send(api.set_user_groups(_found(client, user).id, groups)))


def list_groups(terminal: Terminal) -> None:
    with connect() as client:
        groups = client.send(api.groups())
    rows = [[group.name, str(group.members), ", ".join(group.roles), moment(group.created_at)] for group in groups]
    terminal.data(groups, table(("GROUP", "MEMBERS", "ROLES", "SINCE"), rows), columns=Group)
    if not groups:
        terminal.say("None here. Make one:  pc-hybrid group set-roles NAME --role ROLE")


def set_group_roles(terminal: Terminal, group: str, roles: Sequence[str]) -> None:
    with connect() as client:
        changed = client.send(api.set_group_roles(group, roles))
    terminal.data(changed, [f"{safe(changed.name)}: {safe(', '.join(changed.roles)) or 'no roles'}"])


def remove_group(terminal: Terminal, group: str, *, confirmed: bool) -> None:
    if not confirmed and not terminal.confirm(f"Remove the group {safe(group)}?", "--yes"):
        raise Failure(f"{safe(group)} was not removed", next_step="", exit_code=ExitCode.FAILED)
    with connect() as client:
        client.send(api.remove_group(group))
    terminal.data({"name": group, "removed": True}, [f"{safe(group)} is removed"])


def list_roles(terminal: Terminal) -> None:
    with connect() as client:
        roles = client.send(api.roles())
    rows = [[role.name, clipped(" ".join(role.permissions), _LONGEST)] for role in roles]
    terminal.data(roles, table(("ROLE", "MAY"), rows), columns=Role)


def show_role(terminal: Terminal, name: str) -> None:
    with connect() as client:
        roles = client.send(api.roles())
    role = next((role for role in roles if role.name == name), None)
    if role is None:
        raise Failure(
            f"there is no role {safe(clipped(name, _LONGEST))}",
            exit_code=ExitCode.NOT_FOUND,
            next_step="pc-hybrid role list",
        )
    terminal.data(role, [safe(permission) for permission in role.permissions])


def remove_second_factor(terminal: Terminal, user: str) -> None:
    with connect() as client:
        changed = client.send(api.remove_second_factor_of_user(_found(client, user).id))
    terminal.data(changed, [f"{safe(changed.username)} signs in by password alone until they enrol again"])


def accept_invitation(terminal: Terminal, api_url: str | None, *, from_stdin: bool) -> None:
    store = CredentialStore(environment.read().config_dir)
    url = api_url or target(store.read(), store.file).api_url.value
    invitation, password = _typed() if not from_stdin else (_line("invitation"), _line("password"))
    with Client(url) as client:
        client.send(api.accept_invitation(invitation, password))
    terminal.data({"api_url": url, "accepted": True}, [f"Your password is set.  pc-hybrid login --api-url {url}"])


def show_invitation(terminal: Terminal, invitation: Invitation, url: str) -> None:
    terminal.data(invitation, [invitation.invitation])
    terminal.say(
        f"For {safe(invitation.user.username)}, until {moment(invitation.expires_at)} UTC. It works once; they run"
    )
    terminal.say(f"pc-hybrid accept-invitation --api-url {url}")


def _typed() -> tuple[str, str]:
    if not people_here():
        raise missing("--stdin", "secrets are never arguments")
    invitation = getpass.getpass("Invitation: ", sys.stderr)
    password = getpass.getpass("New password (12 letters or more): ", sys.stderr)
    if getpass.getpass("The same again: ", sys.stderr) != password:
        raise Failure("the two passwords differ", exit_code=ExitCode.USAGE, next_step="Try again.")
    return invitation, password


def _line(what: str) -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Failure(f"standard input held no {what}", exit_code=ExitCode.USAGE, next_step="Give a line for each.")
    return line


def _found(client: Client, wanted: str) -> User:
    for user in client.send(api.users()):
        if wanted.strip().casefold() in (user.username, str(user.id)):
            return user
    raise Failure(
        f"there is no user {safe(clipped(wanted, _LONGEST))}",
        exit_code=ExitCode.NOT_FOUND,
        next_step="pc-hybrid user list",
    )


def _print(terminal: Terminal, user: User) -> None:
    terminal.data(user, table(_HEADS, [_row(user)]))


def _row(user: User) -> list[str]:
    state = "suspended" if not user.active else "invited" if user.invited else "active"
    return [user.username, state, ", ".join(user.roles), ", ".join(user.groups), moment(user.created_at)]
