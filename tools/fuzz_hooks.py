"""What schemathesis does not know by itself (`make fuzz`): bodies that are bytes, and what there is to ask about."""

import json
import os
import zlib
from typing import Any

import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.core.parameters import ParameterLocation

# By where paths have them, as tools/fuzz.py made them.
_MADE: dict[str, list[str]] = json.loads(os.environ.get("FUZZ_MADE", "{}"))
_ONE_IN = 4


# GET and DELETE of an agent of that name share the path of its creation: `Allow` names them, the description has them
# under `{name}`. Schemathesis cannot be told by its configuration: it runs one set of checks for all operations.
_SHARED_PATH = "/api/v4/admin/agents/create"
_allow_conforms: Any = CHECKS.get_one("allow_header_conformance")
CHECKS.unregister("allow_header_conformance")


@schemathesis.check
def allow_header_conformance(ctx: Any, response: Any, case: schemathesis.Case) -> bool | None:
    """The built-in check, but for the one path that two operations share."""
    conforms: bool | None = None if case.path == _SHARED_PATH else _allow_conforms(ctx, response, case)
    return conforms


@schemathesis.serializer("application/gzip", "application/x-tar", "application/x-git-bundle")
def as_it_is(context: object, value: object) -> bytes:
    """No archive, nearly always: what must be refused, not what is taken in, which tests of its own do."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, object]) -> None:
    """Three requests in four are about what there is, where their path may be anything that it allows.

    What a request before has answered (stateful) stays, and so does what a path does not allow.
    """
    if case.meta is None or case.meta.phase.name.value == "stateful":
        return
    path = case.meta.components.get(ParameterLocation.PATH)
    # The same request is to say the same of the same thing when it comes again.
    chance = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode("utf-8", "replace"))
    if path is None or not path.mode.is_positive or chance % _ONE_IN == 0:
        return
    for name in case.path_parameters:
        if made := _made(case.method, case.path, name):
            case.path_parameters[name] = made[chance % len(made)]


def _made(method: str, path: str, name: str) -> list[str]:
    before, _, after = path.partition(f"/{{{name}}}")
    kind = before.rpartition("/")[2]
    if after.startswith("/offboarding"):
        return _MADE.get(f"offboarded {kind}", [])
    ends = after == "/offboard" or (method == "DELETE" and not after)
    return _MADE.get(f"ended {kind}" if ends else kind, [])
