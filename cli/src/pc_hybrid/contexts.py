"""Which platform a command talks to, and as whom.

--context wins, then PCH_CONTEXT, then PCH_API_URL, then the context in use, then the platform on this machine. What is
kept in a context goes to that context's address and to no other; PCH_TOKEN goes to PCH_API_URL where both are given.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pc_hybrid import environment
from pc_hybrid.credentials import DEFAULT_API_URL, Known
from pc_hybrid.failures import ExitCode, Failure
from promptcraft_sdk.client import Credentials

Origin = Literal["flag", "environment", "file", "default"]


@dataclass(frozen=True, slots=True)
class Told:
    """A value, and where it came from: which option, variable or file."""

    value: str
    origin: Origin
    source: str


@dataclass(frozen=True, slots=True)
class Target:
    """A platform and the way in. `context` is None where none is kept for the address."""

    context: str | None
    name: Told
    api_url: Told
    token: str
    credentials: Credentials | None


def target(known: Known, file: Path) -> Target:
    """Where this command goes. Failure for a context that there is not, or two variables that say different things."""
    here = environment.read()
    kept = f"{file}"
    name = _named(here.context)
    if name is not None and name.value in known.contexts:
        return _of_context(known, name, kept)
    if name is not None:
        raise no_such(name.value)
    if here.api_url:
        return _of_address(known, here.api_url)
    if known.current in known.contexts:
        return _of_context(known, Told(known.current, "file", kept), kept)
    url = Told(DEFAULT_API_URL, "default", "")
    return Target(None, Told("", "default", ""), url, here.token, None)


def named() -> str | None:
    """The context that --context or PCH_CONTEXT names, whether there is one or not."""
    told = _named(environment.read().context)
    return None if told is None else told.value


def no_such(name: str) -> Failure:
    return Failure(
        f"there is no context {name}",
        exit_code=ExitCode.NOT_FOUND,
        next_step=f"pc-hybrid context list, or make it: pc-hybrid login --context {name} --api-url URL",
    )


def checked_name(name: str) -> str:
    """A name that can be typed, and told from an option."""
    if not name or len(name) > 64 or name.startswith("-") or not name.isprintable() or " " in name:
        raise Failure(
            f'"{name}" is no name of a context: 1 to 64 printable letters without blanks, not beginning with -',
            exit_code=ExitCode.USAGE,
        )
    return name


def name_for(known: Known, api_url: str) -> str:
    """The context that is for this address (the one in use where several are), else a name for a new one."""
    if found := known.of(api_url):
        return found
    parts = urlsplit(api_url)
    usual = (parts.netloc + parts.path)[:60]
    names = (usual, *(f"{usual}-{number}" for number in range(2, len(known.contexts) + 3)))
    return next(name for name in names if name not in known.contexts)


def _named(variable: str) -> Told | None:
    if flag := environment.context_option():
        return Told(flag, "flag", "--context")
    return Told(variable, "environment", "PCH_CONTEXT") if variable else None


def _of_context(known: Known, name: Told, file: str) -> Target:
    here = environment.read()
    context = known.contexts[name.value]
    elsewhere = here.api_url not in ("", context.api_url)
    if elsewhere and name.origin == "environment":
        raise Failure(
            f"PCH_CONTEXT is {name.value}, which is {context.api_url}, and PCH_API_URL is {here.api_url}",
            exit_code=ExitCode.USAGE,
            next_step="Unset one of the two.",
        )
    # A token that came with another address is that platform's.
    token = "" if elsewhere else here.token
    return Target(name.value, name, Told(context.api_url, "file", file), token, context.credentials)


def _of_address(known: Known, api_url: str) -> Target:
    here = environment.read()
    name = known.of(api_url)
    kept = known.contexts[name].credentials if name else None
    url = Told(api_url, "environment", "PCH_API_URL")
    return Target(name, Told(name or "", "environment", "PCH_API_URL"), url, here.token, kept)
