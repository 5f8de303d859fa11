"""python -m promptcraft.app: every process of the server, and every command about this host."""

import argparse
import sys


def main() -> int:
    """Run the named role; exit status 2 for settings that cannot be used."""
    arguments = _parser().parse_args()
    from promptcraft.settings import SettingsError

    try:
        return arguments.start(arguments)
    except SettingsError as refused:
        print(f"Error: the settings cannot be used\n{refused}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    from promptcraft.app import up

    parser = argparse.ArgumentParser(prog="python -m promptcraft.app", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    host = commands.add_parser("up", help="start the whole platform on this host")
    up.add_arguments(host)
    host.set_defaults(start=up.main)
    down = commands.add_parser("down", help="stop the platform of this host")
    up.add_down_arguments(down)
    down.set_defaults(start=up.down)
    demo = commands.add_parser("demo", help="the main job once, from nothing to an answer, then everything stopped")
    demo.add_argument("--at", metavar="URL", help=argparse.SUPPRESS)
    demo.set_defaults(start=_demo)
    for name, start, about in _ROLES:
        role = commands.add_parser(name, help=about)
        role.add_argument("--gate", type=int, help=argparse.SUPPRESS)
        role.set_defaults(start=start)
        if name == "serve":
            role.add_argument("--roles", choices=["api"], default="api", help="what this process serves")
            role.add_argument("--listen-fd", type=int, help=argparse.SUPPRESS)
        if name == "migrate":
            role.add_argument("--quiet", action="store_true", help="say nothing when all is well")
    settings = commands.add_parser("config", help="look at the settings")
    settings.add_argument("rest", nargs=argparse.REMAINDER)
    settings.set_defaults(start=_config)
    admin = commands.add_parser("admin", help="first aid on the host")
    aid = admin.add_subparsers(required=True, metavar="ACTION")
    first = aid.add_parser("bootstrap", help="make the first organisation and administrator")
    first.add_argument("--gate", type=int, help=argparse.SUPPRESS)
    first.set_defaults(start=_admin)
    reset = aid.add_parser("reset-password", help="give somebody a new password")
    reset.add_argument("username", metavar="USERNAME")
    reset.add_argument("--remove-second-factor", action="store_true", help="for somebody who lost that, too")
    keys = commands.add_parser("keys", help="the keys that access tokens are signed with")
    rotate = keys.add_subparsers(required=True, metavar="ACTION").add_parser("rotate", help="sign with the next one")
    for command, start in ((reset, _reset_password), (rotate, _rotate_keys)):
        up.add_down_arguments(command)
        command.add_argument("-o", "--output", choices=("text", "json"), default="text")
        command.set_defaults(start=start)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from promptcraft.app import demo

    return demo.main(arguments.at)


def _config(arguments: argparse.Namespace) -> int:
    from promptcraft.app import config

    rest: list[str] = arguments.rest
    return config.main(rest)


def _serve(arguments: argparse.Namespace) -> int:
    from promptcraft.app import serve

    return serve.main(arguments.gate, arguments.listen_fd)


def _worker(arguments: argparse.Namespace) -> int:
    from promptcraft.app import worker

    return worker.main(arguments.gate)


def _beat(arguments: argparse.Namespace) -> int:
    from promptcraft.app import beat

    return beat.main(arguments.gate)


def _runtime(arguments: argparse.Namespace) -> int:
    from promptcraft.app import runtime

    return runtime.main(arguments.gate)


def _migrate(arguments: argparse.Namespace) -> int:
    from promptcraft.app import migrate

    return migrate.main(arguments.gate, arguments)


def _admin(arguments: argparse.Namespace) -> int:
    from promptcraft.app import admin

    return admin.main(arguments.gate)


def _reset_password(arguments: argparse.Namespace) -> int:
    from promptcraft.app import admin

    return admin.reset(
        arguments.username,
        arguments.data_dir,
        arguments.output,
        remove_second_factor=arguments.remove_second_factor,
    )


def _rotate_keys(arguments: argparse.Namespace) -> int:
    from promptcraft.app import admin

    return admin.rotate_keys(arguments.data_dir, arguments.output)


_ROLES = (
    ("serve", _serve, "answer HTTP"),
    ("worker", _worker, "do background work"),
    ("beat", _beat, "send due work to the workers"),
    ("runtime", _runtime, "be the parent of this host's agents"),
    ("migrate", _migrate, "bring the database to this version"),
)

if __name__ == "__main__":
    sys.exit(main())
