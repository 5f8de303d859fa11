"""Making an agent: what is wanted, its knowledge uploaded, its creation followed to the end."""

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure, missing
from pc_hybrid.terminal import Terminal, people_here
from pc_hybrid.text import plural, safe, size
from pc_hybrid.work import evaluation, knowledge, progress
from promptcraft_sdk.client import Client, api

# The platform decides about names; this only spares an upload that could not lead anywhere.
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}[a-z0-9]")
_QUESTIONS = {
    "name": "Name (lower-case letters, digits and _)",
    "domain": "Domain (what it is about, in a word)",
    "description": "Description (what it knows, in a sentence)",
    "keywords": "Keywords (words that lead a question to it, with commas)",
    "knowledge": "Knowledge (the directory of documents that it answers from)",
}
# What no agent can be made without.
_NEEDED = ("name", "domain", "knowledge")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed; None and () where nothing was."""

    name: str | None
    display_name: str | None
    domain: str | None
    description: str | None
    keywords: tuple[str, ...]
    capabilities: tuple[str, ...]
    knowledge: tuple[Path, ...]
    environment: str | None
    memory: str | None
    cpu: str | None
    update_frequency: str | None
    questions: Path | None
    spec_file: Path | None
    deploy: bool


def create(terminal: Terminal, wanted: Wanted, *, may_ask: bool, time_limit: float) -> None:
    request = _read_spec(wanted.spec_file)
    wanted = _completed(terminal, wanted, request, may_ask=may_ask)
    name = _checked_name(str(wanted.name or request["agent_spec"]["name"]))
    selection = knowledge.select(wanted.knowledge) if wanted.knowledge else None
    with connect() as client:
        uploads = _upload(terminal, client, selection) if selection else []
        body = request_body(request, wanted, uploads)
        started = client.send(api.create_agent(body))
        end = progress.follow(
            terminal,
            client,
            api.creation_events(started.creation_id),
            lambda: client.send(api.creation(started.creation_id)),
            title=f"Creating {name}",
            what=f"the creation of {name}",
            resume=f"pc-hybrid agent watch {started.creation_id}",
            time_limit=time_limit,
        )
        progress.conclude(terminal, client, end)


def cancel(terminal: Terminal, identifier: UUID, *, wait: bool, time_limit: float) -> None:
    with connect() as client:
        state = client.send(api.cancel_creation(identifier))
        name = state.agent_name
        if wait and not state.finished:
            state = progress.follow(
                terminal,
                client,
                api.creation_events(identifier),
                lambda: client.send(api.creation(identifier)),
                title=f"Cancelling the creation of {name}",
                what=f"the undoing of {name}",
                resume=f"pc-hybrid agent watch {identifier}",
                time_limit=time_limit,
            )
    said = "was cancelled; nothing of it is left" if state.finished else "is being undone"
    terminal.data(state, [f"The creation of {safe(name)} {said}"])
    if not state.finished:
        terminal.say(f"Follow it:  pc-hybrid agent watch {identifier}")


def request_body(request: Mapping[str, Any], wanted: Wanted, uploads: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """§5.1's body: the file's request with the options over it. Uploads are pairs of kind and source."""
    spec: dict[str, Any] = dict(request["agent_spec"])
    deployment: dict[str, Any] = dict(request.get("deployment_config") or {})
    given = {
        "name": wanted.name,
        "display_name": wanted.display_name,
        "domain": wanted.domain,
        "description": wanted.description,
        "keywords": _words(wanted.keywords),
        "capabilities": list(wanted.capabilities),
    }
    spec |= {key: value for key, value in given.items() if value}
    spec.setdefault("display_name", str(spec["name"]).replace("_", " ").title())
    sources = [{"type": kind, "source": source} for kind, source in uploads]
    if sources:
        spec["knowledge_sources"] = [*spec.get("knowledge_sources", []), *sources]
    if wanted.update_frequency:
        spec["knowledge_sources"] = [
            source | {"update_frequency": wanted.update_frequency} for source in spec.get("knowledge_sources", [])
        ]
    if wanted.questions:
        spec["questions"] = evaluation.read_questions(wanted.questions)
    limits = {key: value for key, value in (("memory", wanted.memory), ("cpu", wanted.cpu)) if value}
    if wanted.environment:
        deployment["environment"] = wanted.environment
    if limits:
        deployment["resource_limits"] = {**(deployment.get("resource_limits") or {}), **limits}
    deployment["auto_deploy"] = wanted.deploy
    return {**request, "agent_spec": spec, "deployment_config": deployment}


def _read_spec(path: Path | None) -> dict[str, Any]:
    """A whole request of §5.1, or its agent_spec alone."""
    if path is None:
        return {"agent_spec": {}}
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        document: object = json.loads(text)
    except (OSError, ValueError) as error:
        raise Failure(
            f"cannot read {path}: {error}", exit_code=ExitCode.USAGE, next_step="Give a file that holds JSON."
        ) from error
    if not isinstance(document, dict):
        raise Failure(
            f"{path} holds no JSON object",
            exit_code=ExitCode.USAGE,
            next_step='It should look like {"agent_spec": {"name": ..., "domain": ..., ...}}.',
        )
    found = cast("dict[str, Any]", document)
    if "agent_spec" not in found:
        return {"agent_spec": found}
    if not isinstance(found["agent_spec"], dict):
        raise Failure(f"agent_spec in {path} is no JSON object", exit_code=ExitCode.USAGE)
    return found


def _completed(terminal: Terminal, wanted: Wanted, request: Mapping[str, Any], *, may_ask: bool) -> Wanted:
    """Asks for what is missing, where there is somebody to ask."""
    spec: dict[str, Any] = request["agent_spec"]
    given = {
        "name": wanted.name or spec.get("name"),
        "domain": wanted.domain or spec.get("domain"),
        "description": wanted.description or spec.get("description"),
        "keywords": wanted.keywords or spec.get("keywords"),
        "knowledge": wanted.knowledge or spec.get("knowledge_sources"),
    }
    absent = [field for field, value in given.items() if not value]
    if not (may_ask and people_here()):
        for field in _NEEDED:
            if field in absent:
                raise _lacking(field)
        return wanted
    for field in absent:
        answer = terminal.ask(_QUESTIONS[field], f"--{field}", _QUESTIONS[field])
        if answer:
            value: Any = {"keywords": (answer,), "knowledge": (Path(answer).expanduser(),)}.get(field, answer)
            wanted = replace(wanted, **{field: value})
        elif field in _NEEDED:
            raise _lacking(field)
    return wanted


def _lacking(field: str) -> Failure:
    return missing("NAME" if field == "name" else f"--{field}", _QUESTIONS[field])


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    better = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:41]
    raise Failure(
        f'agent name "{name}" is not usable',
        exit_code=ExitCode.USAGE,
        why=[("/agent_spec/name", "must match ^[a-z][a-z0-9_]{2,40}$ and not end in _")],
        next_step=f"pc-hybrid agent create {better}" if _NAME.fullmatch(better) else "Choose another name.",
    )


def _upload(terminal: Terminal, client: Client, selection: knowledge.Selection) -> list[tuple[str, str]]:
    packed = knowledge.pack(selection)
    documents = plural(sum(archive.documents for archive in packed), "document")
    started = time.monotonic()
    line = f"Uploading {documents} ({size(sum(archive.bytes for archive in packed))})"
    if selection.passed_over:
        passed = ", ".join(f"{count} {ending}" for ending, count in selection.passed_over.most_common())
        terminal.say(f"Passed over: {passed}")
    sources = [
        (archive.kind, client.send(api.upload_knowledge(archive.archive, compressed=True)).source) for archive in packed
    ]
    terminal.say(progress.aligned(f"{line}", "done", time.monotonic() - started))
    return sources


def _words(keywords: Iterable[str]) -> list[str]:
    words = (word.strip() for given in keywords for word in given.split(","))
    return list(dict.fromkeys(word for word in words if word))
