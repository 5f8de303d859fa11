"""Models, their providers, and what is allowed of them."""

import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure, missing
from pc_hybrid.terminal import Terminal, people_here
from pc_hybrid.text import safe, safe_json, table
from pc_hybrid.work.figures import UNKNOWN, moment
from promptcraft_sdk.client import api
from promptcraft_sdk.client.schemas import Model, ModelProvider

_HEADS = ("NAME", "KIND", "ADDRESS", "MODELS", "PRIORITY", "ASKED", "KEY SINCE")


def list_models(terminal: Terminal) -> None:
    with connect() as client:
        found = client.send(api.models())
    terminal.data(
        found,
        table(("MODEL", "PROVIDER"), [[model.id, model.owned_by] for model in found.data]),
        rows=found.data,
        columns=Model,
    )
    if not found.data:
        terminal.say("There is no model to ask. Add a provider:  pc-hybrid model add-provider NAME --base-url URL")


def providers(terminal: Terminal) -> None:
    with connect() as client:
        found = client.send(api.model_providers())
    terminal.data(found, table(_HEADS, [_row(one) for one in found], right=("PRIORITY",)), columns=ModelProvider)
    if not found:
        terminal.say("There is none. Add one:  pc-hybrid model add-provider NAME --base-url URL")


def add_provider(
    terminal: Terminal,
    name: str,
    base_url: str,
    kind: str,
    api_version: str | None,
    models: Sequence[str],
    priority: int | None,
    key_stdin: bool,
) -> None:
    given: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "base_url": base_url,
        "models": _named(models),
    }
    optional = {"api_version": api_version, "priority": priority}
    given |= {field: value for field, value in optional.items() if value is not None}
    with connect() as client:
        added = client.send(api.add_model_provider({**given, "api_key": _key(key_stdin)}))
    terminal.data(added, [f"Added the provider {safe(added.name)}"])
    terminal.say(f"Try it:  pc-hybrid model test {safe(added.name)}" + ("" if models else " --model NAME"))


def show_provider(terminal: Terminal, name: str) -> None:
    with connect() as client:
        found = client.send(api.model_provider(name))
    terminal.data(found, table(_HEADS, [_row(found)], right=("PRIORITY",)))


def change_provider(
    terminal: Terminal,
    name: str,
    base_url: str | None,
    models: Sequence[str] | None,
    priority: int | None,
    enabled: bool | None,
) -> None:
    given = {"base_url": base_url, "models": _named(models) if models else None, "priority": priority}
    changes = {field: value for field, value in {**given, "enabled": enabled}.items() if value is not None}
    if not changes:
        raise Failure(
            "nothing to change was given",
            exit_code=ExitCode.USAGE,
            next_step=f"pc-hybrid model change-provider {name} --help",
        )
    with connect() as client:
        changed = client.send(api.change_model_provider(name, changes))
    terminal.data(changed, table(_HEADS, [_row(changed)], right=("PRIORITY",)))


def remove_provider(terminal: Terminal, name: str) -> None:
    with connect() as client:
        client.send(api.remove_model_provider(name))
    terminal.data({"name": name, "removed": True}, [f"Removed the provider {safe(name)}"])


def rotate_key(terminal: Terminal, name: str, key_stdin: bool) -> None:
    with connect() as client:
        changed = client.send(api.rotate_model_key(name, _key(key_stdin)))
    terminal.data(changed, [f"{safe(changed.name)} has another key since {moment(changed.key_changed_at)}"])


def test(terminal: Terminal, name: str, model: str | None) -> None:
    with connect() as client:
        tested = client.send(api.try_model_provider(name, model=model))
    said = safe(tested.answer) or "nothing"
    lines = [f"{safe(tested.provider)} answered as {safe(tested.model)} in {tested.seconds:.1f} s: {said}"]
    terminal.data(tested, lines)


def policy(terminal: Terminal, replace: Path | None) -> None:
    given = _document(replace) if replace is not None else None
    with connect() as client:
        found = client.send(api.model_policy() if given is None else api.set_model_policy(given))
    terminal.data(found, safe_json(json.dumps(found, indent=2, ensure_ascii=False)).splitlines())


def _row(one: ModelProvider) -> list[str]:
    return [
        one.name,
        one.kind,
        one.base_url or "the platform's",
        ", ".join(one.models) or "any",
        UNKNOWN if one.priority is None else str(one.priority),
        "yes" if one.enabled else "no",
        moment(one.key_changed_at),
    ]


def _named(models: Sequence[str]) -> dict[str, str]:
    """The names that people ask for, each with the provider's own."""
    return {ours: theirs or ours for ours, _, theirs in (model.partition("=") for model in models)}


def _key(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().strip()
    if not people_here():
        raise missing("--key-stdin", "the provider's key")
    return getpass.getpass("Key: ")


def _document(path: Path) -> dict[str, Any]:
    try:
        document: object = json.loads(sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"cannot read {path} as JSON: {error}", exit_code=ExitCode.USAGE) from error
    if not isinstance(document, dict):
        raise Failure(f"{path} holds no JSON object", exit_code=ExitCode.USAGE)
    return cast("dict[str, Any]", document)
